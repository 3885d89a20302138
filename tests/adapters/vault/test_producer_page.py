"""The how-to is what happens: its settings build what it says."""

import re
from pathlib import Path

from acmeproxy.adapters.embedded.openbao import openbao as running_openbao
from acmeproxy.settings import load
from tests.support.producing import applied, planned, producing
from tests.support.settings_file import write

PAGE = (Path(__file__).parents[3] / "docs" / "vault.md").read_text()


async def test_the_settings_of_the_page_build_what_it_says(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    async with running_openbao(tmp_path) as server:
        settings = block[1].replace("https://vault.corp.example:8200", server.address)
        file = write(tmp_path, settings)
        with producing(file, server.root_token) as made:
            assert len(made.plan()) == 29
        assert "Nothing to do: all 29 parts are as the settings say." in PAGE
        applied(file, server.root_token)
        assert planned(file, server.root_token) == []
    # What was awaited is there now: the proxy and doctor can read the same settings.
    given = load(file, {})
    assert given.missing_credentials() == ()
    assert given.vault.roots is not None
    assert given.reader_login().missing == ()
