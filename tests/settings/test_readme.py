"""What the README shows is what works."""

import re
from pathlib import Path

from acmeproxy.settings import load

README = Path(__file__).parents[2] / "README.md"


def test_its_settings_load(tmp_path: Path) -> None:
    [text] = re.findall(r"```toml\n(.*?)```", README.read_text(), re.DOTALL)
    settings = tmp_path / "acmeproxy.toml"
    settings.write_text(text)
    secret = tmp_path / "secret-id"
    secret.touch(mode=0o600)
    secret.write_text("only a test")
    loaded = load(settings, {})
    assert list(loaded.tenants) == ["payments"]
    assert loaded.missing_credentials() == ()


def test_its_targets_and_commands_exist() -> None:
    text = README.read_text()
    makefile = README.with_name("Makefile").read_text()
    assert text.index("make demo") < text.index("make test")
    for target in set(re.findall(r"`?make ([a-z]+)`?", text)):
        assert f"\n{target}:" in makefile, target


def test_its_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        assert (README.parent / link).exists(), link
