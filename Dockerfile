# The server for MCP clients: docker run -i --rm -e GITLAB_ACCESS_TOKEN -e GITLAB_URL IMAGE serve
FROM python:3.13-slim AS build
COPY . /source
RUN pip wheel --no-cache-dir --wheel-dir /wheels /source

FROM python:3.13-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels gitlab-mcp-server
RUN useradd --create-home user
USER user
ENTRYPOINT ["gitlab-mcp-server"]
