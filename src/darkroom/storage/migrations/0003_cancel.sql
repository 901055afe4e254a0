-- Tasks that their owner calls off, and tasks that must begin by an instant.

ALTER TABLE tasks
    ADD COLUMN cancel_asked_at timestamptz,
    ADD COLUMN deadline_at timestamptz,
    -- A waiting task is canceled at once, so a task that was asked to stop never waits again.
    ADD CONSTRAINT tasks_canceled_never_wait CHECK (status <> 'PENDING' OR cancel_asked_at IS NULL);
CREATE INDEX tasks_deadline ON tasks (deadline_at)
    WHERE status = 'PENDING' AND deadline_at IS NOT NULL AND started_at IS NULL;
