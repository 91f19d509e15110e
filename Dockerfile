# `bespoke serve`, and nothing else:
#   docker build -t bespoke .
#   docker run -p 3000:3000 -v bespoke:/data bespoke
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin bespoke && mkdir /empty

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/bespoke /usr/bin/bespoke
COPY --from=build --chown=nonroot:nonroot /empty /data
ENV BACKEND_HOST=0.0.0.0 BACKEND_DATA_DIR=/data
VOLUME /data
EXPOSE 3000
ENTRYPOINT ["/usr/bin/bespoke"]
CMD ["serve"]
