-- name: assets.insert
-- Files that were just stored: a task's outputs, or uploads when `task_id` is null.
INSERT INTO assets (id, account_id, task_id, position, file, media_type, bytes, sha256, width,
                    height)
SELECT id, %(account_id)s, %(task_id)s, place - 1, file, media_type, bytes, sha256, width, height
  FROM unnest(%(ids)s::text[], %(files)s::text[], %(media_types)s::text[], %(bytes)s::bigint[],
              %(sha256s)s::bytea[], %(widths)s::integer[], %(heights)s::integer[])
       WITH ORDINALITY AS made (id, file, media_type, bytes, sha256, width, height, place);
