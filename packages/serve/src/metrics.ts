import type { FastifyInstance } from "fastify";
import { textOf } from "./schemas.ts";
import type { Lane, Service } from "./service.ts";

/** From the fast answers of pictures to those of long videos, seconds. */
const BUCKETS = [0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120];

/** `GET /metrics`: Prometheus' text. Routes are told by their patterns, so that no client can make up series. */
export async function useMetrics(app: FastifyInstance, service: Service): Promise<void> {
  const { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } =
    await import("prom-client");
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  const requests = new Counter({
    name: "http_requests_total",
    help: "Requests that were answered",
    labelNames: ["method", "route", "status"],
    registers,
  });
  const seconds = new Histogram({
    name: "http_request_duration_seconds",
    help: "From a request's head to the end of its answer",
    labelNames: ["route"],
    buckets: BUCKETS,
    registers,
  });
  const { lanes } = service;
  const gauge = (name: string, help: string, valueOf: (lane: Lane) => number): object =>
    new Gauge({
      name,
      help,
      labelNames: ["lane"],
      registers,
      collect() {
        for (const [lane, it] of Object.entries(lanes)) this.set({ lane }, valueOf(it));
      },
    });
  gauge(
    "emotion_service_waiting",
    "Inputs that wait for their turn",
    ({ queue }) => queue.lengths().waiting,
  );
  gauge(
    "emotion_service_running",
    "Inputs that are worked on",
    ({ queue }) => queue.lengths().running,
  );
  gauge(
    "emotion_service_predictor_restarts",
    "How often the process that predicts was started anew",
    ({ predictor }) => predictor.restarts(),
  );
  gauge(
    "emotion_service_visitors",
    "Requests that are on their way, waiting or worked on",
    ({ visitors }) => visitors,
  );
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
