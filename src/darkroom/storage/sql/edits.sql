-- name: edits.insert
-- A new version of a model; none when its instant has passed, or somebody made that version before.
WITH asked AS (
    SELECT coalesce(%(effective_at)s::timestamptz, now()) AS at
), made AS (
    INSERT INTO catalogue_edits (model, version, effect, document, effective_at, author, note)
    SELECT %(model)s, %(version)s, %(effect)s, %(document)s, at, %(author)s, %(note)s
      FROM asked WHERE at >= now()
    ON CONFLICT (model, version) DO NOTHING
    RETURNING version
)
SELECT at < now() AS is_past, (SELECT version FROM made) AS version FROM asked;

-- name: edits.in_force
-- What is said of each model that was edited.
SELECT DISTINCT ON (model) model, effect, document
  FROM catalogue_edits WHERE effective_at <= now()
 ORDER BY model, effective_at DESC, version DESC;

-- name: edits.reading
-- How many edits and rates are in force, which only grow, and when the next will be.
SELECT (SELECT count(*) FROM catalogue_edits WHERE effective_at <= now()) AS edits,
       (SELECT count(*) FROM rates WHERE effective_at <= now()) AS rates,
       extract(epoch FROM (SELECT min(effective_at) FROM catalogue_edits
                            WHERE effective_at > now()) - now())::float8 AS next_seconds;

-- name: edits.list
-- The versions of a model, the last first.
SELECT model, version, effect, document, effective_at, author, note, created_at,
       version = (SELECT version FROM catalogue_edits
                   WHERE model = %(model)s AND effective_at <= now()
                   ORDER BY effective_at DESC, version DESC LIMIT 1) AS is_in_force,
       effective_at > now() AS is_to_come
  FROM catalogue_edits WHERE model = %(model)s ORDER BY version DESC LIMIT %(rows_max)s;

-- name: edits.current
-- Of each model what is in force, and everything that is to come.
WITH held AS (
    SELECT DISTINCT ON (model) id FROM catalogue_edits WHERE effective_at <= now()
     ORDER BY model, effective_at DESC, version DESC
)
SELECT model, version, effect, document, effective_at, author, note, created_at,
       effective_at <= now() AS is_in_force, effective_at > now() AS is_to_come
  FROM catalogue_edits
 WHERE id IN (SELECT id FROM held) OR effective_at > now()
 ORDER BY model, effective_at, version LIMIT %(rows_max)s;
