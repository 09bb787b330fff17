/** One server-sent event. */
export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

/**
 * Reads server-sent events from text that comes in pieces cut anywhere (HTML standard, 9.2.6). EventSource would do it but
 * for the Authorization header, which it cannot send.
 * @returns takes a piece, gives the events that it ended
 */
export function createEventReader(): (piece: string) => ServerEvent[] {
  let rest = "";
  return (piece) => {
    const blocks = (rest + piece).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop() ?? "";
    return blocks.map(parseEvent).filter((event) => event.data !== "");
  };
}

function parseEvent(block: string): ServerEvent {
  let name = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue; // a comment keeps the connection open
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (line.slice(0, colon) === "event") name = value;
    if (line.slice(0, colon) === "data") data.push(value);
  }
  return { name, data: data.join("\n") };
}
