# The image that `make image` makes, for machines with Docker and without Rust:
#   docker build -t localhost/bespoke .
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin bespoke && install -d -m 700 /empty

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/bespoke /usr/bin/bespoke
COPY --from=build --chown=65532:65532 /empty /data
USER 65532:65532
WORKDIR /
ENV BACKEND_HOST=0.0.0.0 BACKEND_DATA_DIR=/data
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/bin/bespoke", "health"]
ENTRYPOINT ["/usr/bin/bespoke"]
CMD ["serve"]
