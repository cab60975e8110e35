"""Settings: where the project is found, which source wins, and how a mistake is told."""

import os
import stat
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.settings import Project, Settings, find_project, load_settings, make_home, mask_password


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, tmp_path / ".penstock", None)


def with_file(project: Project, text: str) -> Project:
    file = project.folder / "penstock.yaml"
    file.write_text(text, encoding="utf-8")
    return Project(project.folder, project.home, file)


def refusal(project: Project, **environ: str) -> UsageError:
    with pytest.raises(UsageError) as refused:
        load_settings(project, environ=environ)
    return refused.value


def test_the_defaults_are_valid() -> None:
    """They are not checked when nothing is set."""
    assert Settings.model_construct() == Settings.model_validate({})


class TestFindProject:
    def test_the_nearest_parent_with_settings(self, tmp_path: Path) -> None:
        (tmp_path / "penstock.yaml").touch()
        deep = tmp_path / "a" / "b"
        deep.mkdir(parents=True)
        assert find_project(start=deep, environ={}) == Project(
            tmp_path, tmp_path / ".penstock", tmp_path / "penstock.yaml"
        )

    def test_the_nearest_parent_with_state(self, tmp_path: Path) -> None:
        (tmp_path / ".penstock").mkdir()
        (tmp_path / "a").mkdir()
        assert find_project(start=tmp_path / "a", environ={}) == Project(tmp_path, tmp_path / ".penstock", None)

    def test_the_current_folder_when_there_is_nothing(self, tmp_path: Path) -> None:
        assert find_project(start=tmp_path, environ={}) == Project(tmp_path, tmp_path / ".penstock", None)

    def test_never_above_the_repository(self, tmp_path: Path) -> None:
        (tmp_path / "penstock.yaml").touch()
        below = tmp_path / "repository" / "flows"
        (tmp_path / "repository" / ".git").mkdir(parents=True)
        below.mkdir()
        assert find_project(start=below, environ={}).folder == below

    def test_never_above_the_home_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "penstock.yaml").touch()
        below = tmp_path / "ada" / "work"
        below.mkdir(parents=True)
        monkeypatch.setenv("HOME", str(tmp_path / "ada"))
        assert find_project(start=below, environ={}).folder == below

    def test_never_in_a_folder_where_anybody_may_write(self, tmp_path: Path) -> None:
        shared = tmp_path / "shared"
        (shared / "mine").mkdir(parents=True)
        (shared / "penstock.yaml").touch()
        shared.chmod(0o1777)
        assert find_project(start=shared / "mine", environ={}).file is None

    def test_a_named_home_is_the_state_folder_itself(self, tmp_path: Path) -> None:
        (tmp_path / "penstock.yaml").touch()
        state = tmp_path / "state"
        assert find_project(state, start=tmp_path, environ={"PENSTOCK_HOME": "/elsewhere"}).home == state
        assert find_project(start=tmp_path, environ={"PENSTOCK_HOME": str(state)}).home == state
        assert find_project(state, start=tmp_path, environ={}).file == tmp_path / "penstock.yaml"

    def test_a_named_home_may_hold_the_settings(self, tmp_path: Path) -> None:
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "penstock.yaml").touch()
        found = find_project(tmp_path / "state", start=tmp_path, environ={})
        assert found.file == tmp_path / "state" / "penstock.yaml"

    def test_without_a_home_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def nobody(*_: object) -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", nobody)
        assert find_project(start=tmp_path, environ={}).folder == tmp_path


class TestOrder:
    def test_defaults(self, project: Project) -> None:
        settings = load_settings(project, environ={})
        assert settings.database.url == f"sqlite:///{project.home}/penstock.db"
        assert settings.flows == (str(project.folder / "flows"),)
        assert settings.plugins == (str(project.folder / "plugins"),)

    def test_environment_over_file_and_options_over_environment(self, project: Project) -> None:
        written = with_file(project, "server: {host: file, port: 1}\nexecutor: {threads: 3}\n")
        environ = {"PENSTOCK_SERVER__PORT": "2", "PENSTOCK_EXECUTOR__THREADS": "4"}
        settings = load_settings(written, environ=environ, options={"executor.threads": 5})
        assert (settings.server.host, settings.server.port, settings.executor.threads) == ("file", 2, 5)

    def test_what_variables_can_say(self, project: Project) -> None:
        settings = load_settings(
            project,
            environ={
                "PENSTOCK_DATABASE__URL": "postgresql://db/penstock",
                "PENSTOCK_PLUGINS": os.pathsep.join(["a", "/b"]),
                "PENSTOCK_PLUGIN_DEFAULTS": "[{type: acme.Log, values: {level: DEBUG}}]",
                "PENSTOCK_VARIABLES__GLOBALS__REGION": "eu",
                "PENSTOCK_HOME": "ignored",
                "PENSTOCK_ATTEMPT": "of the script around it",
                "PENSTOCK_PORT_8080_TCP": "tcp://10.0.0.1:8080",
                "PENSTOCK_SERVICE_HOST": "10.0.0.1",
                "PENSTOCK_TEST_POSTGRES": "postgresql://localhost/tests",
                "PATH": "/bin",
            },
        )
        assert settings.database.url == "postgresql://db/penstock"
        assert settings.plugins == (str(project.folder / "a"), "/b")
        assert settings.plugin_defaults[0].values == {"level": "DEBUG"}
        assert settings.variables.globals == {"region": "eu"}

    def test_a_relative_database_belongs_to_the_project(self, project: Project) -> None:
        settings = load_settings(with_file(project, "database: {url: 'sqlite:///data/x.db'}"), environ={})
        assert settings.database.url == f"sqlite:///{project.folder}/data/x.db"

    def test_an_empty_file_is_no_settings(self, project: Project) -> None:
        assert load_settings(with_file(project, "# nothing\n"), environ={}).server == Settings().server


class TestRefusals:
    def test_an_unknown_setting(self, project: Project) -> None:
        message = refusal(with_file(project, "server:\n  prot: 80\n")).message
        assert f"{project.folder}/penstock.yaml:2:3: error" in message
        assert 'did you mean "port"?' in message

    def test_every_problem_at_once(self, project: Project) -> None:
        message = refusal(with_file(project, "server: {port: many}\nflow: x\nexecutor: {threads: 0}\n")).message
        for place in ("penstock.yaml:1:16", "penstock.yaml:2:1", "penstock.yaml:3:21"):
            assert place in message

    @pytest.mark.parametrize(
        "text", ["- a", "server: [", "a: 1\na: 2", "retention: {executions: soon}", "retention: {executions: PT0S}"]
    )
    def test_nonsense(self, project: Project, text: str) -> None:
        assert "penstock.yaml:" in refusal(with_file(project, text)).message

    def test_a_file_that_is_too_large(self, project: Project) -> None:
        written = with_file(project, "")
        assert written.file is not None
        os.truncate(written.file, 1_000_000_000)
        assert "cannot be settings" in refusal(written).message

    def test_a_variable_that_means_nothing(self, project: Project) -> None:
        refused = refusal(project, PENSTOCK_SERVR__PORT="1")
        assert "PENSTOCK_SERVR__PORT" in refused.message
        assert refused.hint == 'did you mean "server"?'

    @pytest.mark.parametrize(
        ("variable", "value"),
        [("PENSTOCK_SERVER__PORT", "many"), ("PENSTOCK_PLUGIN_DEFAULTS", "[{"), ("PENSTOCK_EXECUTOR__TYPE", "dask")],
    )
    def test_a_variable_of_the_wrong_type(self, project: Project, variable: str, value: str) -> None:
        assert variable in refusal(project, **{variable: value}).message

    def test_a_password_is_never_shown(self, project: Project) -> None:
        for refused in (
            refusal(with_file(project, "database:\n  url: mysql://ada:s3cret@db/x\n")),
            refusal(project, PENSTOCK_DATABASE__URL="mysql://ada:s3cret@db/x"),
        ):
            assert "s3cret" not in refused.message
            assert "mysql://ada:***@db/x" in refused.message


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://ada:a@b:c@db/x", "postgresql://ada:***@db/x"),
        (
            "postgresql://db/x?user=a&password=b&sslmode=require",
            "postgresql://db/x?user=a&password=***&sslmode=require",
        ),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
    ],
)
def test_masking(url: str, masked: str) -> None:
    assert mask_password(url) == masked


class TestStateFolder:
    def test_it_is_private_and_ignored(self, tmp_path: Path) -> None:
        home = tmp_path / "new" / ".penstock"
        make_home(home)
        make_home(home)
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert (home / ".gitignore").read_text() == "*\n"

    def test_somebodys_own_folder_stays_as_it_is(self, tmp_path: Path) -> None:
        make_home(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_place_where_no_folder_can_be(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UsageError, match="state folder"):
            make_home(tmp_path / "file" / "home")


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        section = getattr(field.annotation, "model_fields", {})
        for setting in [f"{name}.{below.alias or key}" for key, below in section.items()] or [field.alias or name]:
            assert f"| `{setting}` |" in page


def test_two_commands_may_make_the_state_folder_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / ".penstock"
    make_home(home)
    looks = iter([False])  # there was nothing yet when the second one looked
    is_dir = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: next(looks, None) is not False and is_dir(path))
    make_home(home)
    assert (home / ".gitignore").read_text() == "*\n"
