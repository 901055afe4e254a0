-- name: acts.insert
-- Somebody did something.
INSERT INTO acts (actor, actor_id, verb, subject, account_id, before, after, request_id, ip)
VALUES (%(actor)s, %(actor_id)s, %(verb)s, %(subject)s, %(account_id)s, %(before)s, %(after)s,
        %(request_id)s, %(ip)s);

-- name: acts.list
-- Acts, newest first, from a place on, filtered by what is not null.
SELECT id, at, actor, actor_id, verb, subject, account_id, before, after, request_id, ip
  FROM acts
 WHERE id < coalesce(%(before)s::bigint, 9223372036854775807)
   AND (%(actor)s::text IS NULL OR actor = %(actor)s)
   AND (%(verb)s::text IS NULL OR verb = %(verb)s)
   AND (%(subject)s::text IS NULL OR subject = %(subject)s)
   AND (%(account_id)s::text IS NULL OR account_id = %(account_id)s)
 ORDER BY id DESC LIMIT %(rows_max)s;
