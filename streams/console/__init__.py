"""The reviewer's pages. Empty on purpose for now."""
