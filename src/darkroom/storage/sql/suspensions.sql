-- name: suspensions.begin
-- Suspend an account that is no admin's and not deleted; since when stays what it was.
UPDATE accounts SET suspended_at = coalesce(suspended_at, now()), suspended_reason = %(reason)s,
                    emptying_since = CASE WHEN %(cancel_waiting)s::boolean
                                          THEN coalesce(emptying_since, now()) END
 WHERE id = %(account_id)s AND NOT is_admin
   AND NOT EXISTS (SELECT FROM erasures e WHERE e.account_id = accounts.id)
RETURNING id AS account_id, suspended_at, suspended_reason AS reason,
          emptying_since IS NOT NULL AS is_emptying;

-- name: suspensions.finish
-- An account may ask again, unless it is deleted.
UPDATE accounts SET suspended_at = NULL, suspended_reason = NULL, emptying_since = NULL
 WHERE id = %(account_id)s
   AND NOT EXISTS (SELECT FROM erasures e WHERE e.account_id = accounts.id)
RETURNING id AS account_id, suspended_at, suspended_reason AS reason, false AS is_emptying;

-- name: suspensions.get (caller)
-- Whether an account is suspended, or even deleted.
SELECT id AS account_id, suspended_at, suspended_reason AS reason,
       emptying_since IS NOT NULL AS is_emptying,
       EXISTS (SELECT FROM erasures e WHERE e.account_id = accounts.id) AS is_deleted
  FROM accounts WHERE id = %(account_id)s;

-- name: suspensions.waiting
-- Waiting tasks of the account that is being emptied the longest, parked ones first; one row
-- without a task where it has none.
WITH account AS MATERIALIZED (
    SELECT id FROM accounts WHERE emptying_since IS NOT NULL ORDER BY emptying_since, id LIMIT 1
), parked AS (
    SELECT t.id, t.account_id FROM account a CROSS JOIN LATERAL (
        SELECT id, account_id FROM tasks
         WHERE account_id = a.id AND status = 'PENDING' AND start_tag IS NULL
         ORDER BY priority, batch_id DESC, position DESC LIMIT %(tasks_max)s) AS t
), queued AS (
    SELECT id, account_id FROM tasks
     WHERE account_id = (SELECT id FROM account) AND status = 'PENDING' AND start_tag IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM parked)
     ORDER BY start_tag DESC, id DESC LIMIT %(tasks_max)s
)
SELECT a.id AS account_id, t.id FROM account a
  LEFT JOIN (SELECT * FROM parked UNION ALL SELECT * FROM queued) AS t ON t.account_id = a.id;

-- name: suspensions.emptied
-- Nothing of an account waits any more.
UPDATE accounts SET emptying_since = NULL WHERE id = %(account_id)s;
