"""Backup of a node that runs, and the way back: nothing for which a sender got its success is lost on it.

Three things belong together: the marks of arrivals that nobody took note of yet, the database, and the files. They are
copied in this order (`numbering.backup.write`), because files come before the rows that name them: every file that the
copied rows name is copied after them. What arrived in between is in the copied files without a row; restoring
(`numbering.backup.restore`) keeps it once more in the spool, which marks it as arrived. What the node did in between it
does again: under the same UIDs, with the same bytes.

The broker is not copied: it is a bell, and the sweeper rings again.
"""

from numbering.backup.database import BackupError
from numbering.backup.restore import restore
from numbering.backup.write import Written, backup

__all__ = ["BackupError", "Written", "backup", "restore"]
