# The processor and the device simulators in one image; docker-compose.yml chooses which of them runs.
FROM python:3.12.8-slim-bookworm

WORKDIR /srv/streamproc
COPY requirements/runtime.txt requirements/runtime.txt
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY streamproc streamproc
COPY simulators simulators
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# The state directory belongs to the one user that the processor runs as.
RUN useradd --system --home-dir /var/lib/streamproc --create-home streamproc
USER streamproc
VOLUME /var/lib/streamproc
EXPOSE 9464
CMD ["streamproc", "run", "--config", "/config"]
