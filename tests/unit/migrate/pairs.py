"""What every test of a migration needs: a migration of a whole flow, or of the lines that matter."""

from engine.catalog import Catalog
from engine.dialect.migrate import Migration, migrate
from engine.dialect.versions import Dialect

CATALOG = Catalog()
HEAD = "id: a\nnamespace: b\n"
CORE = "io.kestra.plugin.core"


def migrated(text: str, to: Dialect = "2.0") -> Migration:
    """The migration of a text that has no head of its own."""
    return migrate(HEAD + text, to, types=CATALOG)


def rewritten(text: str, to: Dialect = "2.0") -> str:
    """What becomes of a text, when nothing is left."""
    migration = migrated(text, to)
    assert not migration.left, [finding.message for finding in migration.left]
    again = migrate(migration.text, to, types=CATALOG)
    assert (again.text, again.rewritten) == (migration.text, []), "a second migration changes something"
    return migration.text.removeprefix(HEAD)


def left_in(text: str, to: Dialect = "2.0") -> list[tuple[int, str]]:
    """Line (from 1, in the text given) and message of all that is left."""
    return [(finding.line - 2, finding.message) for finding in migrated(text, to).left]
