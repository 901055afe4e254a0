-- name: assets.insert
-- Files that were just stored: a task's outputs, or uploads when `task_id` is null.
INSERT INTO assets (id, account_id, task_id, position, file, media_type, bytes, sha256, width,
                    height, likeness)
SELECT id, %(account_id)s, %(task_id)s, place - 1, file, media_type, bytes, sha256, width, height,
       likeness
  FROM unnest(%(ids)s::text[], %(files)s::text[], %(media_types)s::text[], %(bytes)s::bigint[],
              %(sha256s)s::bytea[], %(widths)s::integer[], %(heights)s::integer[],
              %(likenesses)s::bigint[])
       WITH ORDINALITY AS made (id, file, media_type, bytes, sha256, width, height, likeness,
                                place);

-- name: assets.of_task (caller)
-- The files that a task made and that are still there, in order.
SELECT file, media_type, bytes AS size_bytes, sha256, width, height
  FROM assets
 WHERE task_id = %(task_id)s AND account_id = %(account_id)s AND deleted_at IS NULL
 ORDER BY position;

-- name: assets.find (caller)
-- One file of the account by its name, unless it is deleted.
SELECT file, media_type, bytes AS size_bytes, sha256, width, height
  FROM assets
 WHERE file = %(file)s AND account_id = %(account_id)s AND deleted_at IS NULL;

-- name: assets.deleted
-- Whether a file of that name was there and is deleted; its name alone lets anybody ask.
SELECT EXISTS (SELECT 1 FROM assets WHERE file = %(file)s AND deleted_at IS NOT NULL) AS is_so;

-- name: assets.delete (caller)
-- Mark one file as deleted, a result or an upload; answers the task that made it, if one did.
UPDATE assets SET deleted_at = now()
 WHERE file = %(file)s AND account_id = %(account_id)s AND deleted_at IS NULL
RETURNING coalesce(task_id, '') AS task_id;

-- name: assets.expire
-- Mark files as deleted that are past their days, a bounded number, the oldest first.
WITH old AS (
    SELECT id FROM assets
     WHERE deleted_at IS NULL AND created_at < now() - make_interval(days => %(days)s)
     ORDER BY created_at LIMIT %(rows_max)s FOR UPDATE SKIP LOCKED
), gone AS (
    UPDATE assets SET deleted_at = now() FROM old WHERE assets.id = old.id RETURNING 1
)
SELECT count(*) AS total FROM gone;

-- name: assets.leftover
-- Files that are deleted and whose bytes nobody has yet seen to be gone, the first deleted first.
SELECT file FROM assets WHERE deleted_at IS NOT NULL AND removed_at IS NULL
 ORDER BY deleted_at LIMIT %(files_max)s;

-- name: assets.removed
-- The bytes of these deleted files are gone.
UPDATE assets SET removed_at = now()
 WHERE file = ANY(%(files)s::text[]) AND deleted_at IS NOT NULL AND removed_at IS NULL;
