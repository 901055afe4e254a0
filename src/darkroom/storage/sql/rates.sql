-- name: rates.publish
-- Append every rate that differs from the latest of its model and kind.
INSERT INTO rates (model, kind, unit, mill)
SELECT asked.model, asked.kind, asked.unit, asked.mill
  FROM unnest(%(models)s::text[], %(kinds)s::text[], %(units)s::text[], %(mills)s::bigint[])
       AS asked (model, kind, unit, mill)
  LEFT JOIN LATERAL (SELECT unit, mill FROM rates WHERE rates.model = asked.model
                        AND rates.kind = asked.kind ORDER BY id DESC LIMIT 1) latest ON true
 WHERE (latest.unit, latest.mill) IS DISTINCT FROM (asked.unit, asked.mill);

-- name: rates.latest
-- The rate in force of every model and kind.
SELECT DISTINCT ON (model, kind) id, model, kind, unit, mill, created_at
  FROM rates ORDER BY model, kind, id DESC;
