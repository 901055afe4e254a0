-- name: origins.of_task
-- A task by its id, whoever's it is; its id is told to its owner alone.
SELECT CASE WHEN t.account_id = %(account_id)s THEN t.id END AS task_id, t.model, b.kind,
       t.finished_at AS made_at, t.notes ->> 'digital_source_type' AS source, 0 AS distance
  FROM tasks t JOIN batches b ON b.id = t.batch_id
 WHERE t.id = %(task_id)s;

-- name: origins.of_bytes
-- The task that made a file of these bytes, the account's own before others', then the first; a
-- file that was only brought has none.
WITH made AS MATERIALIZED (
    SELECT task_id, account_id, created_at FROM assets
     WHERE sha256 = %(sha256)s AND task_id IS NOT NULL LIMIT %(looked_at_max)s
)
SELECT CASE WHEN t.account_id = %(account_id)s THEN t.id END AS task_id, t.model, b.kind,
       made.created_at AS made_at, t.notes ->> 'digital_source_type' AS source, 0 AS distance
  FROM made JOIN tasks t ON t.id = made.task_id JOIN batches b ON b.id = t.batch_id
 ORDER BY made.account_id <> %(account_id)s, made.created_at LIMIT 1;

-- name: origins.of_likeness
-- The task that made the picture which looks most like one, within a distance in bits of at most 7.
-- Four bands of 16 bits: where no more than 7 of the 64 bits differ, some band has at most one of
-- them (if each had two, there were eight). So it is enough to look up each band as it is and with
-- each of its bits turned, 17 values in an index (multi-index hashing, Norouzi et al. 2012): of N
-- pictures that have nothing to do with each other, about N * 68 / 65536 are compared.
WITH near AS MATERIALIZED (
    (SELECT task_id, account_id, created_at, likeness FROM assets
      WHERE likeness IS NOT NULL AND likeness & 65535 = ANY(%(band_0)s::bigint[])
        AND bit_count((likeness # %(likeness)s)::bit(64)) <= %(distance_max)s
      LIMIT %(looked_at_max)s)
    UNION ALL
    (SELECT task_id, account_id, created_at, likeness FROM assets
      WHERE likeness IS NOT NULL AND likeness >> 16 & 65535 = ANY(%(band_1)s::bigint[])
        AND bit_count((likeness # %(likeness)s)::bit(64)) <= %(distance_max)s
      LIMIT %(looked_at_max)s)
    UNION ALL
    (SELECT task_id, account_id, created_at, likeness FROM assets
      WHERE likeness IS NOT NULL AND likeness >> 32 & 65535 = ANY(%(band_2)s::bigint[])
        AND bit_count((likeness # %(likeness)s)::bit(64)) <= %(distance_max)s
      LIMIT %(looked_at_max)s)
    UNION ALL
    (SELECT task_id, account_id, created_at, likeness FROM assets
      WHERE likeness IS NOT NULL AND likeness >> 48 & 65535 = ANY(%(band_3)s::bigint[])
        AND bit_count((likeness # %(likeness)s)::bit(64)) <= %(distance_max)s
      LIMIT %(looked_at_max)s)
), nearest AS (
    SELECT task_id, created_at,
           bit_count((likeness # %(likeness)s)::bit(64))::integer AS distance
      FROM near
     ORDER BY distance, account_id <> %(account_id)s, created_at LIMIT 1
)
SELECT CASE WHEN t.account_id = %(account_id)s THEN t.id END AS task_id, t.model, b.kind,
       nearest.created_at AS made_at, t.notes ->> 'digital_source_type' AS source,
       nearest.distance
  FROM nearest JOIN tasks t ON t.id = nearest.task_id JOIN batches b ON b.id = t.batch_id;
