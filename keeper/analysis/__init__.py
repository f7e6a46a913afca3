"""Pages for people, made of finished series: no chain, no store, no network."""
