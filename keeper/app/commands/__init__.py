"""One module a command of the risk engine; `keeper.app.cli` registers them."""
