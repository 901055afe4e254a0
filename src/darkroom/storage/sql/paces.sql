-- name: paces.learn
-- Move the paces towards the means of what was just measured.
INSERT INTO paces AS p (model, kind, size, seconds)
SELECT model, kind, size, avg(seconds)
  FROM unnest(%(models)s::text[], %(kinds)s::text[], %(sizes)s::smallint[],
              %(seconds)s::float8[]) AS measured (model, kind, size, seconds)
 GROUP BY model, kind, size ORDER BY model, kind, size
ON CONFLICT (model, kind, size) DO UPDATE
   SET seconds = p.seconds + (excluded.seconds - p.seconds) * %(share)s::float8,
       learned_at = now();
