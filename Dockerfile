# syntax=docker/dockerfile:1

# By digest, so that what is built tomorrow stands on what was built today; node:24.18.0-alpine3.24 of Docker Hub, as public
# Dockerfiles name it. A newer one: docker buildx imagetools inspect node:24-alpine, and --build-arg BASE=….
ARG BASE=node:24.18.0-alpine3.24@sha256:a0b9bf06e4e6193cf7a0f58816cc935ff8c2a908f81e6f1a95432d679c54fbfd

FROM ${BASE} AS build
WORKDIR /src
COPY . .
RUN npx -y pnpm@12 install --frozen-lockfile \
 && npx -y pnpm@12 --filter "@workanywhere/api..." build \
 && npx -y pnpm@12 --filter @workanywhere/api deploy --prod --legacy /app

FROM ${BASE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build --chown=node:node /app .
USER node
EXPOSE 4010
# A container is reached from outside itself, where the service listens only with WFA_AUTH=entra; or, for a CI job that needs
# no tenant, with WFA_AUTH=none WFA_EXPOSE=synthetic: reachable by others, without authentication, synthetic data only.
ENV WFA_HOST=0.0.0.0 WFA_AUTH=entra
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.WFA_PORT ?? 4010) + '/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is the process that gets SIGTERM.
CMD ["node", "--max-semi-space-size=16", "dist/main.js"]
