-- What running tasks look like so far, a small picture each, as it was told last.

-- Not logged: a crash of the database may lose them all, and the next ones come within a second.
-- They are small and compressed already: the table holds them as they are.
CREATE UNLOGGED TABLE previews (
    task_id     text PRIMARY KEY,
    picture     bytea NOT NULL CHECK (octet_length(picture) <= 65536),
    made_at     timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE previews ALTER COLUMN picture SET STORAGE EXTERNAL;

-- Whoever ends a task, takes it back or asks for its stop, its preview goes in the same commit.
CREATE FUNCTION remove_preview() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM previews WHERE task_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER tasks_without_preview AFTER UPDATE OF status, cancel_asked_at ON tasks FOR EACH ROW
    WHEN (OLD.status = 'PROCESSING'
          AND (NEW.status <> 'PROCESSING' OR NEW.cancel_asked_at IS NOT NULL))
    EXECUTE FUNCTION remove_preview();
