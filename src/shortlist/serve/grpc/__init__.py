"""The gRPC services of `protos/`; `*_pb2*` are generated from there by `generate`."""
