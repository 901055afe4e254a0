-- name: previews.keep
-- Store what a running task looks like so far, only by the attempt that holds it and while nobody
-- has asked for its stop. Its row is locked: a change of its state comes wholly before or after.
INSERT INTO previews (task_id, picture)
SELECT id, %(picture)s::bytea FROM tasks
 WHERE id = %(task_id)s AND attempt = %(attempt)s AND status = 'PROCESSING'
   AND cancel_asked_at IS NULL
   FOR SHARE
ON CONFLICT (task_id) DO UPDATE SET picture = excluded.picture, made_at = now();

-- name: previews.find (caller)
-- What one of the account's tasks looks like so far, null for one that has no preview.
SELECT p.picture FROM tasks t LEFT JOIN previews p ON p.task_id = t.id
 WHERE t.id = %(task_id)s AND t.account_id = %(account_id)s;

-- name: previews.inspect
-- What a task of any account looks like so far, null for one that has no preview.
SELECT p.picture FROM tasks t LEFT JOIN previews p ON p.task_id = t.id
 WHERE t.id = %(task_id)s;
