import type { FastifyInstance } from "fastify";

/**
 * `GET /openapi.json`, made of the schemas that validate, and `GET /docs`, which shows it; before the routes. Neither needs a token: a
 * browser sends none with a link, and both are the same for everybody.
 */
export async function useOpenApi(app: FastifyInstance, version: string): Promise<void> {
  const [{ default: swagger }, { default: swaggerUi }] = await Promise.all([
    import("@fastify/swagger"),
    import("@fastify/swagger-ui"),
  ]);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "emotion-service",
        version,
        description: "A picture, a clip, a video -> emotion and anomaly.",
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }, {}],
    },
    transform: ({ schema, url, route }) => {
      const { requestBody } = route.config ?? {};
      return { schema: { ...schema, ...(requestBody && { body: requestBody }) }, url };
    },
  });
  await app.register(async (scope) => {
    scope.addHook("onRoute", (route) => {
      route.config = { ...route.config, isPublic: true };
    });
    scope.get("/openapi.json", { schema: { hide: true } }, async () => scope.swagger());
    await scope.register(swaggerUi, {
      routePrefix: "/docs",
      // Its own would let the page ask other hosts.
      staticCSP: {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
      },
      uiConfig: { validatorUrl: null },
    });
  });
}
