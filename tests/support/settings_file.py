"""A small settings file that holds, to be changed by tests."""

from pathlib import Path

SOUND = """\
[server]
public_url = "https://acme.example"

[redis]
url = "redis://127.0.0.1:6379/0"

[vault]
address = "https://127.0.0.1:8200"

[tenants.payments]
names.allow = ["*.payments.example"]
vault.role = "web"
"""


def write(directory: Path, text: str = SOUND, mode: int = 0o600) -> Path:
    """Write a settings file of a mode, whatever the umask."""
    path = directory / "acmeproxy.toml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def changed(line: str, other: str) -> str:
    """Return the sound file with one line, which must be there once, replaced."""
    assert SOUND.count(f"{line}\n") == 1
    return SOUND.replace(line, other)


def secret_file(directory: Path, name: str, secret: str, mode: int = 0o600) -> Path:
    """Write a file that holds one secret and a line's end."""
    path = directory / name
    path.write_text(f"{secret}\n", "utf-8")
    path.chmod(mode)
    return path
