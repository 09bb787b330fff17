import type { FastifyInstance } from "fastify";
import type { Gauge, Registry } from "prom-client";
import { textOf } from "./schemas.ts";
import type { Lane, Service } from "./service.ts";

/** From the fast answers of pictures to those of long videos, seconds. */
const BUCKETS = [0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120];

/** `GET /metrics`: Prometheus' text. Routes are told by their patterns, so that no client can make up series. */
export async function useMetrics(app: FastifyInstance, service: Service): Promise<void> {
  const prometheus = await import("prom-client");
  const register = new prometheus.Registry();
  prometheus.collectDefaultMetrics({ register });
  const requests = new prometheus.Counter({
    name: "http_requests_total",
    help: "Requests that were answered",
    labelNames: ["method", "route", "status"],
    registers: [register],
  });
  const seconds = new prometheus.Histogram({
    name: "http_request_duration_seconds",
    help: "From a request's head to the end of its answer",
    labelNames: ["route"],
    buckets: BUCKETS,
    registers: [register],
  });
  measureLanes(service.lanes, prometheus.Gauge, register);
  app.addHook("onResponse", async ({ method, routeOptions }, reply) => {
    const route = routeOptions.url ?? "none";
    requests.inc({ method, route, status: reply.statusCode });
    seconds.observe({ route }, reply.elapsedTime / 1000);
  });
  const schema = { summary: "Prometheus' text", response: { 200: textOf("text/plain") } };
  app.get("/metrics", { schema }, async (_request, reply) => {
    void reply.type(register.contentType);
    return register.metrics();
  });
}

/** What is told of each lane. */
const OF_LANES: readonly (readonly [name: string, help: string, of: (lane: Lane) => number])[] = [
  [
    "emotion_service_waiting",
    "Inputs that wait for their turn",
    ({ queue }) => queue.lengths().waiting,
  ],
  ["emotion_service_running", "Inputs that are worked on", ({ queue }) => queue.lengths().running],
  [
    "emotion_service_predictor_restarts",
    "How often the process that predicts was started anew",
    ({ predictor }) => predictor.restarts(),
  ],
  [
    "emotion_service_visitors",
    "Requests that are on their way, waiting or worked on",
    ({ visitors }) => visitors,
  ],
];

function measureLanes(lanes: Service["lanes"], Metric: typeof Gauge, register: Registry): void {
  for (const [name, help, of] of OF_LANES)
    void new Metric({
      name,
      help,
      labelNames: ["lane"],
      registers: [register],
      collect() {
        for (const [lane, it] of Object.entries(lanes)) this.set({ lane }, of(it));
      },
    });
}
