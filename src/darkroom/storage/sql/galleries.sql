-- name: galleries.list (caller)
-- Tasks of an account, newest first, from a place on, filtered by what is not null, of the next
-- 2000 requests at most: `galleries.floor` says where that ends. Read along the index of the
-- account's batches, so that tasks need none of their own; the range of one account keeps the
-- planner from walking through everybody's by their ids. The bounds are no parameters, since a
-- LIMIT by parameter is planned as a tenth of the table. Each kind says in one of its fields what
-- is wanted: of a talk it is what was said last, of scripts how they begin.
SELECT t.id, t.batch_id, t.position, t.status, t.progress, t.seed, b.kind, b.model, b.prompt,
       t.created_at, t.error, coalesce(t.charged_mill, t.price_mill) AS mill, made.file,
       made.media_type
  FROM (SELECT account_id, id, kind, model,
               coalesce(input #>> '{fields,prompt}', input #>> '{fields,text}',
                        input #>> '{fields,description}', input #>> '{fields,query}',
                        input #>> '{fields,messages,-1,content}',
                        input #>> '{fields,scripts,0,content}') AS prompt
          FROM batches
         WHERE account_id BETWEEN %(account_id)s AND %(account_id)s AND id <= %(from_batch)s
         ORDER BY account_id, id DESC LIMIT 2000) AS b
  JOIN LATERAL (SELECT * FROM tasks WHERE tasks.batch_id = b.id ORDER BY position OFFSET 0) AS t
       ON t.deleted_at IS NULL AND (b.id < %(from_batch)s OR t.position >= %(from_position)s)
  LEFT JOIN LATERAL (SELECT file, media_type FROM assets
                      WHERE assets.task_id = t.id AND assets.deleted_at IS NULL
                      ORDER BY media_type NOT LIKE 'image/%%', assets.position LIMIT 1) AS made
         ON true
 WHERE t.created_at >= coalesce(now() - make_interval(days => %(days)s::int), '-infinity')
   AND (%(kind)s::text IS NULL OR b.kind = %(kind)s)
   AND (%(model)s::text IS NULL OR b.model = %(model)s)
   AND (%(status)s::text IS NULL OR t.status = %(status)s)
   AND (%(words)s::text IS NULL OR b.prompt ILIKE %(words)s)
 ORDER BY b.account_id, b.id DESC, t.position LIMIT 25;

-- name: galleries.floor (caller)
-- The first request that a look at the next 2000 does not reach, and whether it is of the days that
-- are asked for; none when the look reaches them all.
SELECT id, created_at,
       created_at >= coalesce(now() - make_interval(days => %(days)s::int), '-infinity') AS is_due
  FROM batches
 WHERE id = (SELECT id FROM batches
              WHERE account_id BETWEEN %(account_id)s AND %(account_id)s AND id <= %(from_batch)s
              ORDER BY account_id, id DESC OFFSET 2000 LIMIT 1);

-- name: galleries.find (caller)
-- What was asked for a task, by which request.
SELECT b.input, b.request_id, b.api_key_id, b.webhook_url, t.position, t.attempt, t.priority,
       (SELECT count(*) FROM tasks WHERE tasks.batch_id = b.id) AS siblings
  FROM tasks t JOIN batches b ON b.id = t.batch_id
 WHERE t.id = %(task_id)s AND t.account_id = %(account_id)s;
