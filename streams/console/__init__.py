"""The reviewer's desk: pages over the copies of one tier, rendered on the server."""
