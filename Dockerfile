# Images with the server at /bin/gitlab-mcp-server. scripts/build-image builds them; docs/image.md describes their use.
#   server  (the default target) the server, git, bash, curl, CA certificates
#   claude  the same, with the Claude Code CLI
# Build secrets, all optional and in no layer: ca (PEM file of a private CA), pip_index_url, npm_registry.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        ca-certificates python3-hatchling python3-venv
# Two virtual environments: /tools builds and installs; the other one is copied to the image and has no pip.
RUN python3 -m venv --system-site-packages /tools \
    && python3 -m venv --without-pip /opt/gitlab-mcp-server
WORKDIR /source
COPY requirements.txt ./
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip_index_url \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
    && if [ -s /run/secrets/pip_index_url ]; then PIP_INDEX_URL=$(cat /run/secrets/pip_index_url); export PIP_INDEX_URL; fi \
    && /tools/bin/pip --python /opt/gitlab-mcp-server/bin/python install --no-cache-dir --no-compile \
        --only-binary :all: --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY gitlab_mcp gitlab_mcp
COPY templates templates
# Bytecode is compiled here, because an unprivileged user of the image could not write it. It is hash-based, because file times
# can change when layers are copied.
RUN /tools/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /tools/bin/pip --python /opt/gitlab-mcp-server/bin/python install --no-cache-dir --no-compile \
        --no-index --no-deps --find-links /wheels gitlab-mcp-server \
    && /opt/gitlab-mcp-server/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/gitlab-mcp-server/lib

FROM ${BASE} AS server
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends bash ca-certificates curl git python3 \
    && apt-get clean \
    && useradd --uid 1000 --create-home --shell /bin/bash gitlab-mcp \
    && find /var/lib/apt/lists /var/cache /var/log -type f -delete \
    && rm -f /var/lib/dpkg/*-old /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid- \
    && ln -s /opt/gitlab-mcp-server/bin/gitlab-mcp-server /bin/gitlab-mcp-server
COPY --from=build /opt/gitlab-mcp-server /opt/gitlab-mcp-server
ENV LANG=C.UTF-8
ARG VERSION=unknown
LABEL org.opencontainers.image.title="gitlab-mcp-server" \
    org.opencontainers.image.description="An MCP server that takes an agent from a GitLab issue to a merged change." \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}"
# No entrypoint: GitLab Runner starts the image with a shell of its own choice. The user is root, because jobs install
# packages; the user gitlab-mcp exists for everything else.
ENTRYPOINT []
CMD ["gitlab-mcp-server", "serve"]

# The CLI is one native binary, which needs no Node.js. npm only downloads it.
FROM ${BASE} AS claude-code
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates npm
ARG CLAUDE_VERSION=2.1.330
ARG CLAUDE_SHA512_AMD64=f469fe57b0ed27c3359f3b4ff42783565f60dd1b6b7a923bace153c8f4519d97bc0facde6c81ca982ecebc16aeb9cb803f45f493ce520cdfcb3d56728ec19ecd
ARG CLAUDE_SHA512_ARM64=578c9a9c0639100e54a70c113ed8d27ea0db36a0255097959f7358670d808264478dda52b0bb470336f14577e40276e3c135f3134b9e763431518d360113dcb0
WORKDIR /fetched
RUN --mount=type=secret,id=ca --mount=type=secret,id=npm_registry \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi \
    && if [ -s /run/secrets/npm_registry ]; then npm_config_registry=$(cat /run/secrets/npm_registry); export npm_config_registry; fi \
    && case $(dpkg --print-architecture) in \
        amd64) platform=linux-x64 sum=$CLAUDE_SHA512_AMD64 ;; \
        arm64) platform=linux-arm64 sum=$CLAUDE_SHA512_ARM64 ;; \
        *) echo "There is no Claude Code CLI for $(dpkg --print-architecture)." >&2; exit 1 ;; \
    esac \
    && file=$(npm pack --silent "@anthropic-ai/claude-code-$platform@$CLAUDE_VERSION") \
    && echo "$sum  $file" | sha512sum --check --quiet \
    && tar --extract --gzip --strip-components=1 --file "$file" package/claude \
    && chown root:root claude \
    && chmod 755 claude

FROM server AS claude
COPY --from=claude-code /fetched/claude /usr/local/bin/claude
# CLAUDE_VERSION decides the version, so the CLI must not update itself.
ENV DISABLE_AUTOUPDATER=1
LABEL org.opencontainers.image.title="gitlab-mcp-server with Claude Code" \
    org.opencontainers.image.description="The Claude Code CLI with an MCP server for GitLab." \
    org.opencontainers.image.licenses=""
CMD ["bash"]

FROM server
