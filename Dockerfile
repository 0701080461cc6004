# syntax=docker/dockerfile:1

# Whoever releases it names the base by digest: docker buildx imagetools inspect node:24-alpine tells the one of today, for
# --build-arg BASE=node:24-alpine@sha256:…. None stands here that was not looked up.
ARG BASE=node:24-alpine

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
