-- name: rates.publish
-- Append every rate that differs from the one in force of its model and kind.
INSERT INTO rates (model, kind, unit, mill)
SELECT asked.model, asked.kind, asked.unit, asked.mill
  FROM unnest(%(models)s::text[], %(kinds)s::text[], %(units)s::text[], %(mills)s::bigint[])
       AS asked (model, kind, unit, mill)
  LEFT JOIN LATERAL (SELECT unit, mill FROM rates
                      WHERE rates.model = asked.model AND rates.kind = asked.kind
                        AND effective_at <= now()
                      ORDER BY effective_at DESC, id DESC LIMIT 1) latest ON true
 WHERE (latest.unit, latest.mill) IS DISTINCT FROM (asked.unit, asked.mill);

-- name: rates.schedule
-- Append rates that are in force from an instant on, now when it is null: even one that changes
-- nothing today, for an earlier one may still come before it.
INSERT INTO rates (model, kind, unit, mill, effective_at)
SELECT model, kind, unit, mill, coalesce(%(effective_at)s::timestamptz, now())
  FROM unnest(%(models)s::text[], %(kinds)s::text[], %(units)s::text[], %(mills)s::bigint[])
       AS asked (model, kind, unit, mill);

-- name: rates.latest
-- The rate in force of every model and kind.
SELECT DISTINCT ON (model, kind) id, model, kind, unit, mill, effective_at
  FROM rates WHERE effective_at <= now() ORDER BY model, kind, effective_at DESC, id DESC;

-- name: rates.of_model
-- The rates of a model, those to come included, the last first.
SELECT id, model, kind, unit, mill, effective_at
  FROM rates WHERE model = %(model)s ORDER BY effective_at DESC, id DESC LIMIT %(rows_max)s;
