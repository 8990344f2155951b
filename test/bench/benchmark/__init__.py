"""The benchmark of pg_copy_incremental; test/bench/bench starts it between two throwaway servers."""
