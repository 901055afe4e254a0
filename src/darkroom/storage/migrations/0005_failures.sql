-- How often a task cost a child, and the worker that is the last to try it again.

ALTER TABLE tasks
    ADD COLUMN crashes smallint NOT NULL DEFAULT 0,
    ADD COLUMN avoid_worker text;
