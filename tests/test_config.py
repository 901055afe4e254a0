"""Settings: where they come from, which wins, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkroom import config, errors


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A current folder without a darkroom.toml."""
    monkeypatch.chdir(tmp_path)


def test_defaults_need_no_environment():
    settings = config.load({}, {})
    assert (settings.host, settings.port, settings.sandbox) == ("127.0.0.1", 8080, True)


def test_a_flag_wins_over_the_environment_and_that_over_the_file():
    Path("darkroom.toml").write_text('port = 1\nhost = "a"\nwire = "reference"\n')
    environment = {"DARKROOM_PORT": "2", "DARKROOM_HOST": "b"}
    settings = config.load({"port": 3, "host": None}, environment)
    assert (settings.port, settings.host, settings.wire) == (3, "b", "reference")


def test_data_is_an_absolute_folder(tmp_path):
    assert config.load({"data": Path("here")}, {}).data == tmp_path / "here"


@pytest.mark.parametrize(("text", "value"), [("off", False), ("No", False), ("1", True)])
def test_a_switch_takes_the_words_that_people_use(text, value):
    assert config.load({}, {"DARKROOM_SANDBOX": text}).sandbox is value


def test_lists_are_written_with_commas():
    settings = config.load({}, {"DARKROOM_OUTBOUND_ALLOW": "10.0.0.0/8, files.example ,"})
    assert settings.outbound_allow == ("10.0.0.0/8", "files.example")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DARKROOM_PORT": "http"}, "DARKROOM_PORT"),
        ({"DARKROOM_PORT": "70000"}, "DARKROOM_PORT"),
        ({"DARKROOM_WIRE": "quick"}, "DARKROOM_WIRE"),
        ({"DARKROOM_WORKERS": "-1"}, "DARKROOM_WORKERS"),
        ({"DARKROOM_CONFIG": "nowhere.toml"}, "nowhere.toml"),
        ({"DARKROOM_PROVENANCE_KEY": "a.pem"}, "DARKROOM_PROVENANCE_CERTIFICATE is not"),
        ({"DARKROOM_PROVENANCE_CERTIFICATE": "a.pem"}, "DARKROOM_PROVENANCE_KEY is not"),
    ],
)
def test_a_wrong_setting_is_named(environment, said):
    with pytest.raises(errors.ConfigInvalid, match=said):
        config.load({}, environment)


@pytest.mark.parametrize(
    ("text", "said"), [("prot = 1", "no setting prot"), ("port =", "not valid TOML")]
)
def test_a_wrong_file_is_named(text, said):
    Path("darkroom.toml").write_text(text)
    with pytest.raises(errors.ConfigInvalid, match=f"darkroom.toml.*{said}"):
        config.load({}, {})


def _in_force(flags, environment):
    return {one.name: (one.value, one.source) for one in config.in_force(flags, environment)}


def test_every_setting_in_force_tells_its_source():
    Path("darkroom.toml").write_text('port = 1\nhost = "a"\nwire = "reference"\n')
    told = _in_force({"port": 3, "host": None}, {"DARKROOM_PORT": "2", "DARKROOM_HOST": "b"})
    assert told["DARKROOM_PORT"] == ("3", "--port")
    assert told["DARKROOM_HOST"] == ("b", "DARKROOM_HOST")
    assert told["DARKROOM_WIRE"] == ("reference", "darkroom.toml")
    assert told["DARKROOM_SANDBOX"] == ("true", "default")
    assert told["DARKROOM_WORKERS"] == ("unset", "default")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:s3cret@host/db", "postgresql://me:••••••@host/db"),
        ("postgresql://me:p@s:s3cret@host/db", "postgresql://me:••••••@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("host=a password=s3cret dbname=b", "host=a password=•••••• dbname=b"),
        ("host=a password='s3c ret' dbname=b", "host=a password=•••••• dbname=b"),
        ("postgresql://host/db?password=s3cret&a=b", "postgresql://host/db?password=••••••&a=b"),
    ],
)
def test_a_password_inside_an_address_is_not_shown(url, shown):
    assert _in_force({"database_url": url}, {})["DARKROOM_DATABASE_URL"] == (
        shown,
        "--database-url",
    )


def test_no_secret_is_shown():
    secrets = [
        name
        for name in config.Config.__struct_fields__
        if name.rpartition("_")[2] in {"key", "secret", "password", "token"}
    ]
    assert "moderation_key" in secrets
    given = {f"DARKROOM_{name.upper()}": "hush" for name in secrets}
    given["DARKROOM_PROVENANCE_CERTIFICATE"] = "chain.pem"
    assert "hush" not in str(config.in_force({}, given))
