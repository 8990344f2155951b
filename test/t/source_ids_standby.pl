# A job of ids whose source is a standby: transactions of the primary that have taken an id and not written are not visible there, so
# it is not known which ids are settled. With settle => 'off' and a lag, the user says it.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use TwoServers;
use Test::More;

my ($primary, $destination) = start_servers(source => "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\n");
on_both('CREATE TABLE events (id bigserial PRIMARY KEY, v text)', $primary, $destination);
$primary->safe_psql('postgres', q[INSERT INTO events (v) SELECT g FROM generate_series(1, 10) AS g]);
$primary->backup('backup');
my $standby = new_source('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
my $port = $standby->port;
$destination->safe_psql('postgres', "CREATE SERVER standby FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER standby OPTIONS (user 'etl_reader', password '$TwoServers::password')");
sub sql { return one_line($destination, 'default', @_) }
sub job { return define_job('events', 'SELECT * FROM events', src_conninfo => "'standby'", window_column => "'id'", @_) }
sub replayed { $primary->wait_for_catchup($standby); return }

my $why = 'The source is a standby, where transactions of the primary that have taken an id and not written are not visible\.';
replayed();
like(sql(job()), qr/^WARNING:  it is not known whether a window of job "events" is settled: .* DETAIL:  $why HINT:  .*If later transactions always have higher ids, pass settle => 'off'/, 'the definition says what is not known');
fails_with($destination, q[CALL copy_incremental_catch_up('events')], 'PI002', qr/it is not known whether the next window of job "events" is settled.*\nDETAIL:  .*$why|DETAIL:  job "events": it is not known/, 'catch_up refuses to guess');
like(sql(q[SELECT string_agg(value, ' ') FROM copy_incremental_explain('events') WHERE item = 'warning']), qr/$why So it cannot be known which ids are settled\./, 'explain says it');
like(sql(q[SELECT copy_incremental_run_ids('events', int8range(1, 6))]), qr/^5WARNING:  it is not known whether window \[1, 6\) of job "events" into public.events is settled.* DETAIL:  $why/, 'a run warns');
is(sql(q[SELECT covered_ids FROM copy_incremental_jobs]), '{}', 'and what it loads is not covered');
fails_with($destination, job(settle => "'wait'") . q[; SELECT copy_incremental_run_ids('events', int8range(6, 11))], 'PI002', qr/it is not known whether window \[6, 11\)/, 'settle => wait has nothing to wait for');

# The case that it is about: the transaction has taken an id, and the standby cannot know.
my ($slow) = open_session($primary);
$slow->query_safe(q[BEGIN; SELECT nextval('events_id_seq')]);
$primary->safe_psql('postgres', q[INSERT INTO events (v) VALUES ('fast')]);
replayed();
is(sql('TRUNCATE events', q[SELECT copy_incremental_forget('events', NULL, NULL) > 0], job(settle => "'off'", lag => "'1 hour'"), q[CALL copy_incremental_catch_up('events')]), 'tNOTICE:  job "events": 0 windows, 0 rows', 'settle => off with a lag: later');
$slow->query_safe(q[INSERT INTO events VALUES (11, 'slow'); COMMIT]);
replayed();
$destination->safe_psql('postgres', q[UPDATE pgci_id_marks SET read_at = read_at - interval '1 hour']);
is(sql(q[CALL copy_incremental_catch_up('events')]), 'NOTICE:  job "events": 1 window, 12 rows', 'the transactions have ended within the lag');
same_rows($primary, $destination, 'events', 'nothing is lost');
$slow->quit;
done_testing();
