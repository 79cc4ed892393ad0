CREATE TABLE hosts (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
-- Which files of ours lie in which host.
CREATE TABLE installs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, concept TEXT, host TEXT
);
CREATE INDEX installs_of_concept ON installs (concept);
CREATE INDEX installs_of_host ON installs (host);
-- Folders whose data sets train by themselves.
CREATE TABLE watches (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
-- What became of each data set; `open` where a job or a word to the user is still due.
CREATE TABLE watched (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
    watch TEXT, open INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX watched_by_watch ON watched (watch, open);
