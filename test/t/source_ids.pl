# Jobs of ids: which ids are settled at the source? Writers that commit late, rolled back ids, prepared transactions, sequences with
# CACHE, several sequences, descending and negative ids, ids that begin again. The source's role sees no other role's activity.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "max_prepared_transactions = 2\n");
sub sql { return one_line($destination, 'default', @_) }
sub at_source { return $source->safe_psql('postgres', join ';', @_) }

# A table of this kind on both servers, and its job. Returns what the definition says.
sub make_job
{
	my ($name, $id, %argument) = @_;
	at_source("CREATE TABLE $name (id $id, v text)");
	$destination->safe_psql('postgres', "CREATE TABLE $name (id bigint PRIMARY KEY, v text)");
	return sql(define_job($name, "SELECT * FROM $name", window_column => "'id'", %argument));
}
sub catch_up { my ($name) = @_; return sql("CALL copy_incremental_catch_up('$name')") }
sub ids { my ($name) = @_; return $destination->safe_psql('postgres', "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM $name") }
sub covered { my ($name) = @_; return $destination->safe_psql('postgres', "SELECT covered_ids FROM copy_incremental_jobs WHERE job = '$name'") }
my $waits = sub { my ($name, $settled, $highest, $what) = @_; return qr/^NOTICE:  job "$name": \d+ windows?, \d+ rows? DETAIL:  Ids up to $highest exist at the source, but those after $settled wait for $what\.$/ };

# A writer that has an id and commits later.
is(make_job('late', 'bigserial PRIMARY KEY'), '', 'one sequence: the definition says nothing');
my ($slow) = open_session($source);
my ($fast) = open_session($source);
$slow->query_safe(q[BEGIN; INSERT INTO late (v) VALUES ('slow')]);
$fast->query_safe(q[INSERT INTO late (v) VALUES ('fast'), ('fast')]);
like(catch_up('late'), $waits->('late', 'the first', 3, '1 transaction'), 'an open transaction has a smaller id: nothing is settled');
is(ids('late') . covered('late'), '{}', 'nothing is loaded');
$slow->query_safe('COMMIT');
is(catch_up('late'), 'NOTICE:  job "late": 1 window, 3 rows', 'it has committed');
is(ids('late') . ' ' . covered('late'), '1 2 3 {[1,4)}', 'all rows are loaded once');

# A transaction that has taken an id and not written: the sequence has logged 32 values before, so it has no transaction ID.
$slow->query_safe(q[BEGIN; SELECT nextval('late_id_seq')]);
is($slow->query_safe('SELECT txid_current_if_assigned() IS NULL'), 't', 'a transaction with an id and without a transaction ID');
$fast->query_safe(q[INSERT INTO late (v) VALUES ('fast')]);
like(catch_up('late'), $waits->('late', 3, 5, '1 transaction'), 'it is waited for');
$slow->query_safe(q[INSERT INTO late VALUES (4, 'slow'); COMMIT]);
catch_up('late');
is(ids('late') . ' ' . covered('late'), '1 2 3 4 5 {[1,6)}', 'its row is loaded');

# Rolled back ids are holes, which are covered.
$slow->query_safe(q[BEGIN; INSERT INTO late (v) VALUES ('never'); ROLLBACK]);
$fast->query_safe(q[INSERT INTO late (v) VALUES ('fast')]);
is(catch_up('late'), 'NOTICE:  job "late": 1 window, 1 row', 'a hole');
is(ids('late') . ' ' . covered('late'), '1 2 3 4 5 7 {[1,8)}', 'a hole is covered');
is(catch_up('late'), 'NOTICE:  job "late": 0 windows, 0 rows', 'nothing is left');

# A long transaction holds back only the ids that came after its start.
$fast->query_safe(q[INSERT INTO late (v) VALUES ('before')]);
$slow->query_safe(q[BEGIN; SELECT 1]);
my ($report) = open_session($source);
like(catch_up('late'), $waits->('late', 7, 8, '1 transaction'), 'a long transaction may have taken one of the new ids');
$report->query_safe('BEGIN; SELECT 1');
$slow->query_safe('COMMIT');
$fast->query_safe(q[INSERT INTO late (v) VALUES ('after')]);
like(catch_up('late'), qr/^NOTICE:  job "late": 1 window, 1 row DETAIL:  Ids up to 9 .* those after 8 wait for 1 transaction\.$/, 'another one began later: the ids that were seen before its start are loaded');
is(ids('late'), '1 2 3 4 5 7 8', 'and no others');
is($destination->safe_psql('postgres', q[SELECT settled_id, highest_id, missing_ids, behind > '0' FROM copy_incremental_jobs WHERE job = 'late']), '8|9|1|t', 'the view of jobs');
is(sql(q[SELECT * FROM copy_incremental_missing('late')]), '||[9,10)|missing', 'missing');

# A window that is not settled.
like(sql(q[SELECT copy_incremental_run_ids('late', int8range(9, 10))]), qr/^1WARNING:  window \[9, 10\) of job "late" into public.late is not settled: .* DETAIL:  Transactions that may have taken an id of the window are open at the source\./, 'a run: a WARNING');
is(covered('late'), '{[1,9)}', 'and it is not covered');
like(catch_up('late'), qr/^NOTICE:  job "late": 0 windows, 0 rows DETAIL/, 'catch_up does not take it either');
$report->query_safe('COMMIT');
like(catch_up('late'), qr/window \[9, 10\) of job "late" into public.late was loaded before it was settled/, 'append cannot load it again');
is(sql(q[DELETE FROM late WHERE id = 9], q[SELECT copy_incremental_forget('late', NULL, NULL, 'late', ids => '[9,9]')], q[CALL copy_incremental_catch_up('late')]), '1NOTICE:  job "late": 1 window, 1 row', 'unless it is forgotten');
like(sql(q[SELECT copy_incremental_run_ids('late', int8range(10, 20))]), qr/^0WARNING: .* is not settled: .* DETAIL:  The highest id at the source is 9\./, 'a window that has not ended');
like(sql(define_job('late', 'SELECT * FROM late', window_column => "'id'", settle => "'error'"), q[SELECT copy_incremental_run_ids('late', int8range(10, 20))]), qr/^ERROR:  window \[10, 20\) of job "late" into public.late was loaded before|^ERROR:  window .* is not settled/, 'settle => error');

# Prepared: the transaction has no session, and nobody sees when it began.
is(make_job('prepared', 'bigint GENERATED ALWAYS AS IDENTITY'), '', 'an identity column');
$slow->query_safe(q[BEGIN; INSERT INTO prepared (v) VALUES ('slow'); PREPARE TRANSACTION 'one']);
$fast->query_safe(q[INSERT INTO prepared (v) VALUES ('fast')]);
like(catch_up('prepared'), $waits->('prepared', 'the first', 2, '1 transaction'), 'a prepared transaction is waited for');
$slow->query_safe(q[COMMIT PREPARED 'one']);
$slow->query_safe(q[BEGIN; INSERT INTO prepared (v) VALUES ('slow')]);
$fast->query_safe(q[INSERT INTO prepared (v) VALUES ('fast')]);
like(catch_up('prepared'), qr/^NOTICE:  job "prepared": 1 window, 2 rows DETAIL:  Ids up to 4 .* those after 2 wait for 1 transaction\.$|^NOTICE:  job "prepared": 0 windows/, 'an open one, too');
$slow->query_safe(q[PREPARE TRANSACTION 'two']);
like(catch_up('prepared'), qr/wait for 1 transaction\.$/, 'which is prepared then');
$slow->query_safe(q[COMMIT PREPARED 'two']);
catch_up('prepared');
is(ids('prepared'), '1 2 3 4', 'nothing is lost');

# A session takes ids in advance, and uses them in later transactions.
is(make_job('cached', 'bigint PRIMARY KEY'), 'WARNING:  it is not known whether a window of job "cached" is settled: the source may still commit rows of it DETAIL:  No sequence is the default of column "id". HINT:  If later transactions always have higher ids, pass settle => \'off\' to the job, and a lag in which transactions end.', 'no sequence: a WARNING');
at_source('CREATE SEQUENCE cached_ids CACHE 50', q[ALTER TABLE cached ALTER id SET DEFAULT nextval('cached_ids')]);
is(sql(define_job('cached', 'SELECT * FROM cached', window_column => "'id'")), '', 'a sequence that no table owns');
$slow->quit;
($slow) = open_session($source);
$slow->query_safe(q[INSERT INTO cached (v) VALUES ('slow')]);
$fast->query_safe(q[INSERT INTO cached (v) VALUES ('fast')]);
like(catch_up('cached'), qr/^NOTICE:  job "cached": 0 windows, 0 rows DETAIL:  Ids up to 51 .* wait for \d+ sessions that may have taken ids in advance, because the sequence has a CACHE\.$/, 'CACHE: sessions are waited for');
$slow->query_safe(q[INSERT INTO cached (v) VALUES ('slow')]);
$_->quit for $slow, $fast, $report;
catch_up('cached');
is(ids('cached'), '1 2 51', 'CACHE: when they have ended, everything is loaded');

# Ids of several sequences.
make_job('two', 'bigserial');
at_source('CREATE SEQUENCE other START 1000', q[CREATE TABLE child (LIKE two INCLUDING DEFAULTS)], q[ALTER TABLE child INHERIT two], q[ALTER TABLE child ALTER id SET DEFAULT nextval('other')], q[INSERT INTO two (v) VALUES ('a')], q[INSERT INTO child (v) VALUES ('b')]);
like(catch_up('two'), qr/WARNING:  job "two" failed: it is not known whether the next window of job "two" is settled.* DETAIL:  Column "id" has its values from several sequences|WARNING:  job "two" failed: it is not known .* DETAIL:  column "id" has its values from several sequences or defaults\./, 'two sequences: refused');
fails_with($destination, q[CALL copy_incremental_catch_up('two')], 'PI002', qr/job "two" failed/, 'two sequences: PI002');
is(sql(define_job('two', 'SELECT * FROM two', window_column => "'id'", settle => "'off'"), q[CALL copy_incremental_catch_up('two')]), 'NOTICE:  job "two": 1 window, 2 rows', 'settle => off loads them');
is(ids('two'), '1 1000', 'both');

# Descending and negative ids.
at_source('CREATE TABLE down (id bigint GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1), v text)');
like(sql('CREATE TABLE down (id bigint, v text)', define_job('down', 'SELECT * FROM down', window_column => "'id'")), qr/ERROR:  values of column "id" descend, so they cannot be windows of ids DETAIL:  The increment of sequence public.down_id_seq is negative\./, 'descending ids are refused');
is(make_job('negative', 'int GENERATED BY DEFAULT AS IDENTITY (MINVALUE -10 START -10)', window_size_rows => 4), '', 'negative ids that ascend');
at_source('INSERT INTO negative (v) SELECT g FROM generate_series(1, 15) AS g');
is(catch_up('negative'), 'NOTICE:  job "negative": 5 windows, 15 rows', 'are loaded');
is(ids('negative') . ' ' . covered('negative'), join(' ', -10 .. 4) . ' {[-10,5)}', 'all of them');
at_source(q[INSERT INTO negative VALUES (-20, 'by hand')]);
is(catch_up('negative'), 'NOTICE:  job "negative": 3 windows, 1 row', 'an id below the lowest');

# Ids that begin again are an error. Rows that were deleted are none.
make_job('again', 'serial PRIMARY KEY');
at_source('INSERT INTO again (v) SELECT g FROM generate_series(1, 10) AS g');
catch_up('again');
at_source('DELETE FROM again WHERE id > 5');
is(catch_up('again'), 'NOTICE:  job "again": 0 windows, 0 rows', 'the last rows were deleted');
at_source('DELETE FROM again WHERE id > 4', 'REVOKE SELECT ON ALL SEQUENCES IN SCHEMA public FROM etl_reader', 'GRANT SELECT ON again TO etl_reader');
at_source('REVOKE pg_read_all_data FROM etl_reader') if $source->pg_version >= 14;
like(catch_up('again'), qr/it is not known whether the next window of job "again" is settled: .* DETAIL:  The source's role has no SELECT privilege on sequence public\.again_id_seq, so it cannot see which ids it has given\. HINT:  GRANT SELECT ON SEQUENCE public\.again_id_seq TO the source's role\./, 'a role that does not see the sequence cannot know');
at_source($source->pg_version >= 14 ? 'GRANT pg_read_all_data TO etl_reader' : 'GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO etl_reader');
at_source('TRUNCATE again RESTART IDENTITY', q[INSERT INTO again (v) VALUES ('new')]);
fails_with($destination, q[CALL copy_incremental_catch_up('again')], 'PI003', qr/job "again" failed\nDETAIL:  job "again": the ids at the source of job "again" have begun again/, 'the ids begin again: PI003');
is(sql('TRUNCATE again', q[SELECT copy_incremental_forget('again', NULL, NULL, 'again')], q[CALL copy_incremental_catch_up('again')]), '1NOTICE:  job "again": 1 window, 1 row', 'after forget, everything is loaded again');
is(ids('again') . ' ' . covered('again'), '1 {[1,2)}', 'the new row');

at_source(q[INSERT INTO again (v) VALUES ('b'), ('c')]);
catch_up('again');
at_source(q[ALTER SEQUENCE again_id_seq RESTART WITH 1], 'ALTER TABLE again DROP CONSTRAINT again_pkey', q[INSERT INTO again (v) VALUES ('d')]);
like(catch_up('again'), qr/have begun again DETAIL:  The highest id is 3, the last that the sequence has given is 1, and 3 was seen before\./, 'the sequence begins again, and the rows are left');

# An id that somebody has chosen above those of the sequence: smaller ones are still to come.
make_job('chosen', 'bigserial PRIMARY KEY');
at_source(q[INSERT INTO chosen (v) VALUES ('a')], q[INSERT INTO chosen VALUES (1000, 'by hand')]);
is(catch_up('chosen'), 'NOTICE:  job "chosen": 1 window, 1 row DETAIL:  The source has ids up to 1000 that its sequence has not given; it may still give smaller ones.', 'a chosen id is not settled');
like(sql(q[SELECT copy_incremental_run_ids('chosen', int8range(2, 1001))]), qr/^1WARNING:  .* is not settled: .* DETAIL:  Its sequence has not given the last id of the window\./, 'nor in a run');
at_source(q[INSERT INTO chosen (v) VALUES ('b')]);
is(sql('DELETE FROM chosen WHERE id = 1000', q[SELECT copy_incremental_forget('chosen', NULL, NULL, 'chosen', ids => int8range(2, 1001))], q[CALL copy_incremental_catch_up('chosen')]) =~ s/ DETAIL.*//r, '1NOTICE:  job "chosen": 1 window, 1 row', 'the next one of the sequence is loaded');
at_source(q[SELECT setval('chosen_id_seq', 1000)], q[INSERT INTO chosen (v) VALUES ('c')]);
is(catch_up('chosen'), 'NOTICE:  job "chosen": 1 window, 2 rows', 'the sequence has passed it');
is(ids('chosen') . ' ' . covered('chosen'), '1 2 1000 1001 {[1,1002)}', 'all rows');

# settle => 'wait' waits until the transactions have ended.
make_job('waits', 'bigserial', settle => "'wait'");
($slow) = open_session($source);
$slow->query_safe(q[BEGIN; INSERT INTO waits (v) VALUES ('slow')]);
at_source(q[INSERT INTO waits (v) VALUES ('fast')]);
my $client = start_client($destination, 'waiter', q[CALL copy_incremental_catch_up('waits')]);
my ($watch) = open_session($destination);
poll_session($watch, q[SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'waiter' AND now() > query_start + interval '3 seconds']) or die 'the call does not wait';
$slow->query_safe('COMMIT');
is((end_of_client($client))[0], '00000', 'settle => wait: the call succeeds');
is(ids('waits'), '1 2', 'settle => wait: with the row of the slow transaction');
$_->quit for $slow, $watch;

# A lag: ids are loaded that long after they were seen.
make_job('lagging', 'bigserial', settle => "'off'", lag => "'1 hour'");
at_source(q[INSERT INTO lagging (v) VALUES ('a')]);
is(catch_up('lagging'), 'NOTICE:  job "lagging": 0 windows, 0 rows', 'lag: not yet');
$destination->safe_psql('postgres', q[UPDATE pgci_id_marks SET read_at = read_at - interval '1 hour' WHERE job_id = (SELECT job_id FROM pgci_jobs WHERE job = 'lagging')]);
at_source(q[INSERT INTO lagging (v) VALUES ('b')]);
is(catch_up('lagging'), 'NOTICE:  job "lagging": 1 window, 1 row', 'lag: what was seen an hour ago');
is(ids('lagging'), 1, 'and no more');

no_session_left($source, 'no session is left at the source');
done_testing();
