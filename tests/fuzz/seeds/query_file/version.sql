-- title: Database version
-- description: Asks the database for its version, and takes its time.
select slow_version() as database_version
