import { Graph, layout } from "@dagrejs/dagre";
import { FONT, INK } from "@emotion-service/core/plot/theme";
import { type DrawnBox, boxSize, drawBox, escaped, number, textElement } from "./drawBox.ts";
import type { BoxGraph } from "./graphBoxes.ts";
import { textWidth } from "./textWidth.ts";

/** Units around the picture, between boxes of one line, and between lines. */
const MARGIN = 20;
const BESIDE = 26;
const BELOW = 30;
const TITLE_SIZE = 15;
const SUBTITLE_SIZE = 11;
const HEAD = 52;
const GREY = "#555555";

interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Picture {
  readonly svg: string;
  /** Units. */
  readonly width: number;
  readonly height: number;
}

/** The graph as an SVG, inputs at the top: boxes in layers, edges that end in an arrow. Same graph, same text. */
export function drawGraph(graph: BoxGraph, title: string, subtitle: string): Picture {
  const { boxes, edges, width, height } = placed(graph);
  const titleWidth = Math.max(
    textWidth(title, TITLE_SIZE, "bold"),
    textWidth(subtitle, SUBTITLE_SIZE, "regular"),
  );
  const inner = Math.max(width, titleWidth);
  const whole = {
    width: Math.ceil(inner + 2 * MARGIN),
    height: Math.ceil(height + HEAD + 2 * MARGIN),
  };
  const left = MARGIN + (inner - width) / 2;
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${whole.width}" height="${whole.height}" viewBox="0 0 ${whole.width} ${whole.height}" font-family="${FONT}, Verdana, sans-serif">`,
    `<title>${escaped(title)}</title>`,
    ARROW,
    '<rect width="100%" height="100%" fill="white"/>',
    textElement(title, {
      x: MARGIN,
      y: MARGIN + TITLE_SIZE,
      size: TITLE_SIZE,
      weight: "bold",
      fill: INK,
    }),
    textElement(subtitle, {
      x: MARGIN,
      y: MARGIN + TITLE_SIZE + 18,
      size: SUBTITLE_SIZE,
      fill: GREY,
    }),
    `<g transform="translate(${number(left)} ${MARGIN + HEAD})">`,
    ...edges.map(edgePath),
    ...boxes.map((box) => drawBox(box, graph.isSummary)),
    "</g>",
    "</svg>",
  ];
  return { svg: `${svg.join("\n")}\n`, ...whole };
}

const ARROW =
  '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0.5 L8 4 L0 7.5 Z" fill="#666666"/></marker></defs>';

/** Places of boxes (left upper corners) and edges by a layered layout. */
function placed({ boxes, edges, isSummary }: BoxGraph) {
  const graph = new Graph();
  graph.setGraph({ rankdir: "TB", nodesep: BESIDE, edgesep: 14, ranksep: BELOW });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const [place, box] of boxes.entries())
    graph.setNode(String(place), { ...boxSize(box, isSummary) });
  for (const [from, to] of edges) graph.setEdge(String(from), String(to));
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const { x: start = 0 } = boxes.length > 0 ? (graph.node("0") as Partial<Point>) : {};
  const across = start > width / 2 ? (x: number) => width - x : (x: number) => x; // what comes first stands left
  return {
    width,
    height,
    boxes: boxes.map((box, place): DrawnBox => {
      const { x, y, width: w, height: h } = graph.node(String(place)) as Point & Size;
      return { box, x: across(x) - w / 2, y: y - h / 2, width: w, height: h };
    }),
    edges: edges.map(([from, to]) => {
      const { points } = graph.edge(String(from), String(to)) as { points: readonly Point[] };
      return points.map(({ x, y }) => ({ x: across(x), y }));
    }),
  };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** A curve that begins and ends at the points' ends and bends towards those between. */
function edgePath(points: readonly Point[]): string {
  const at = ({ x, y }: Point): string => `${number(x)} ${number(y)}`;
  const [first = { x: 0, y: 0 }] = points;
  const inner = points.slice(1, -1);
  const last = points.at(-1) ?? first;
  const bends = inner.map((point, index) => {
    const next = inner[index + 1];
    const end =
      next === undefined ? last : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    return `Q${at(point)} ${at(end)}`;
  });
  const path = bends.length === 0 ? `L${at(last)}` : bends.join(" ");
  return `<path d="M${at(first)} ${path}" fill="none" stroke="#666666" stroke-width="1.2" marker-end="url(#arrow)"/>`;
}
