"""`make devnet`: a local chain on port 8545 with the protocol, its keepers and recorded prices."""

import signal
import sys
import time

import click

from scripts import _demo_network as network
from scripts import _demo_story as story
from scripts._devnet import CHAIN_ID, ROOT, DevnetError, start_anvil

_PORT = 8545
_API_PORT = 8600
_BLOCK_SECONDS = 2


def main() -> None:
    """Runs until interrupted. Chain time starts at the record's START and passes at the clock's pace."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = ROOT / "build" / "devnet"
    path = ROOT / "deployments" / f"{CHAIN_ID}.json"
    with start_anvil(_PORT, story.START) as devnet:
        keepers = network.configure(folder, devnet, path, _API_PORT)
        network.deploy_protocol(devnet, keepers, path)
        devnet.rpc("evm_setIntervalMining", _BLOCK_SECONDS)
        with network.running(keepers):
            keepers.wait_until_live()
            click.echo(
                f"chain {CHAIN_ID} at {devnet.url}, keeper at {keepers.url('proposer')}, addresses in {path}"
            )
            while devnet.process.poll() is None:
                keepers.require_alive()
                time.sleep(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except (DevnetError, RuntimeError, OSError) as error:
        sys.exit(f"devnet: {error}")
