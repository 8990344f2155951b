# on_new_column: columns that appear at the source, columns that become wider there, and those that the target cannot store.
use strict;
use warnings;

use Sessions;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();

sub results { return one_line($destination, 'default', @_); }
sub run_sql { my ($day, $job) = (@_, 'sale'); return "SELECT copy_incremental_run('$job', '2018-07-$day')"; }
my %window = (window_column => "'at'", first_day => "'2018-07-01'", time_zone => "'UTC'", target => "'sale'");
sub columns
{
	my ($table) = @_;
	return results("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 AND NOT attisdropped");
}
# Both servers have the table, and the job has loaded the first day.
sub fresh
{
	my ($on_new_column, %option) = @_;
	my $more = $option{columns} // '';
	on_both('DROP TABLE IF EXISTS sale CASCADE', $source, $destination);
	$destination->safe_psql('postgres', q[DELETE FROM pgci_jobs; DELETE FROM pgci_runs]);
	$source->safe_psql('postgres', "CREATE TABLE sale (id int, at date$more); INSERT INTO sale SELECT g, date '2018-07-01' + g % 31 FROM generate_series(0, 61) AS g");
	$destination->safe_psql('postgres', "CREATE TABLE sale (id int, at date$more)" . ($option{partition} // '') . ';' . ($option{also} // '') . ';'
		  . define_job('sale', 'SELECT * FROM sale', %window, on_new_column => "'$on_new_column'", %{ $option{job} // {} }) . '; ' . run_sql('01'));
	return;
}

# What each value of the option does with a column that appears between two windows.
for my $case (
	[ 'error', qr/^ERROR:  source column "c" does not exist in target public\.sale .*pass on_new_column/, 'id integer, at date' ],
	[ 'ignore', qr/^2$/, 'id integer, at date' ],
	[ 'add', qr/^2NOTICE:  table public\.sale, the target of job "sale", was changed as its source has changed DETAIL:  Columns: c numeric\(6,2\)\./, 'id integer, at date, c numeric(6,2)' ])
{
	my ($option, $said, $columns) = @$case;
	fresh($option);
	$source->safe_psql('postgres', q[ALTER TABLE sale ADD c numeric(6,2) NOT NULL DEFAULT 1.5; COMMENT ON COLUMN sale.c IS 'it''s \ new']);
	like(results(q[SELECT item FROM copy_incremental_explain('sale', '2018-07-02') WHERE item IN ('error', 'alter target') OR value LIKE '%ignored: c%']), $option eq 'error' ? qr/error/ : $option eq 'add' ? qr/alter target/ : qr/warning/, "$option: explain says it before");
	like(results(q[SELECT source_column, note FROM copy_incremental_describe('sale') WHERE source_column = 'c']), $option eq 'error' ? qr/fails/ : $option eq 'add' ? qr/the run adds it/ : qr/left out/, "$option: describe, too") ;
	is(columns('sale'), 'id integer, at date', "$option: explain changes nothing");
	like(results(run_sql('02')), $said, "$option: the run");
	is(columns('sale'), $columns, "$option: the columns");
	is(results(q[SELECT matches FROM copy_incremental_verify('sale', '2018-07-02')]), 't', "$option: verify") if $option ne 'error';
}
is(results(q[SELECT count(c), count(*) FROM sale], q[SELECT ddl FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1], q[SELECT col_description('sale'::regclass, 3)]),
	q[2|4 ALTER TABLE public.sale ADD COLUMN c numeric(6,2); COMMENT ON COLUMN public.sale.c IS E'it''s \\\\ new'; it's \ new], 'add: the rows before have NULL, the ledger has the statements');
is(results(q[SELECT ddl IS NULL FROM copy_incremental_runs ORDER BY run_id LIMIT 1]), 't', 'a run that changes nothing has none');
is(results(run_sql('03')), '2', 'add: once');
is(results(q[SELECT inserted, deleted FROM copy_incremental_repair('sale', '2018-07-01', '2018-07-01')], 'SELECT count(c), count(*) FROM sale'), '2|2 6|6', 'a repair fills the rows before');
$source->safe_psql('postgres', 'ALTER TABLE sale DROP c');
fails_with($destination, run_sql('04'), '42703', qr/query of job "sale" no longer returns column c$/m, 'a column that is gone after it was added is an error');

# ignore: a column that appears in the target later is loaded, and is missed when it is gone.
fresh('ignore');
$source->safe_psql('postgres', 'ALTER TABLE sale ADD c int DEFAULT 7');
is(results(run_sql('02'), 'ALTER TABLE sale ADD c int', run_sql('03'), 'SELECT sum(c) FROM sale'), '2 2 14', 'ignore: the target gets the column later');
$source->safe_psql('postgres', 'ALTER TABLE sale DROP c');
fails_with($destination, run_sql('04'), '42703', qr/no longer returns column c$/m, 'ignore: gone');
# Every way of rows goes without it.
for my $way ([ 'copy', method => "'copy'" ], [ 'upsert', mode => "'upsert'", key_columns => "'{id}'" ], [ 'replace', mode => "'replace'", verify => 'true' ], [ 'reject', on_error => "'reject'" ])
{
	my ($name, %job) = @$way;
	for my $option (qw(ignore add))
	{
		fresh($option, job => \%job, also => 'CREATE UNIQUE INDEX ON sale (id)');
		$source->safe_psql('postgres', q[ALTER TABLE sale ADD "a ""b" int DEFAULT 7]);
		like(results(run_sql('02')), $option eq 'add' ? qr/^2NOTICE/ : qr/^2$/, "$option, $name: runs");
		is(results($option eq 'add' ? 'SELECT sum("a ""b"), count(*) FROM sale' : 'SELECT 14, count(*) FROM sale'), '14|4', "$option, $name: rows");
	}
}
# A batch of copy_incremental_batches().
fresh('add');
$source->safe_psql('postgres', 'ALTER TABLE sale ADD c int DEFAULT 7');
like(results(by_batches(copy_sql('SELECT * FROM sale', '2018-07-05', window_column => "'at'", on_new_column => "'add'", batch => 1)), 'SELECT sum(c) FROM sale'), qr/^14NOTICE:  table public\.sale was changed/, 'a call in batches');
like(results(copy_sql('SELECT id, at, c AS id FROM sale', '2018-07-06', window_column => "'at'", on_new_column => "'add'")), qr/^ERROR:  query returns the column "id" more than once/, 'a name twice');

# Types that become wider: an error that shows the ALTER, or the ALTER.
my @wider = (
	[ 'int', 'bigint' ], [ 'smallint', 'integer' ], [ 'varchar(5)', 'character varying(9)' ], [ 'varchar(5)', 'text' ], [ 'varchar(5)', 'character varying' ], [ 'numeric(6,2)', 'numeric(8,2)' ],
	[ 'numeric(6,2)', 'numeric(9,4)' ], [ 'numeric(6,2)', 'numeric' ], [ 'int', 'numeric(12,1)' ], [ 'real', 'double precision' ], [ 'timestamp(0)', 'timestamp(3) without time zone' ], [ 'int[]', 'bigint[]' ],
	[ 'interval(0)', 'interval' ], [ 'char(3)', 'character(5)' ], [ 'varbit(3)', 'bit varying(5)' ]);
my @numbers = (0 .. $#wider);
my $narrow = join '', map { ", v$_ $wider[$_][0]" } @numbers;
my $alter = 'ALTER TABLE sale ' . join ', ', map { "ALTER v$_ TYPE $wider[$_][1]" } @numbers;
fresh('error', columns => $narrow);
my $columns = columns('sale');
$source->safe_psql('postgres', $alter);
my $said = results(run_sql('02'));
like($said, qr/^ERROR:  query of job "sale" returns other types than before, which target public\.sale cannot store without loss DETAIL:  Columns of the target and what they would have to be: v0 from integer to bigint, .*HINT:  Define the job again with on_new_column => 'add', or run: ALTER TABLE public\.sale ALTER COLUMN v0 TYPE bigint, /, 'wider: an error') or diag($said);
my ($shown) = $said =~ /(ALTER TABLE public.*?;)/;
is($shown =~ s/public\.|COLUMN |;//gr, $alter, 'wider: the statement of the hint');
is(columns('sale'), $columns, 'wider: nothing is changed');
is(results('BEGIN', $shown, run_sql('02'), 'ROLLBACK'), '2', 'wider: with that statement the job goes on');
$destination->safe_psql('postgres', q[UPDATE pgci_jobs SET options = options || '{"on_new_column": "add"}']);
like(results(run_sql('02')), qr/^2NOTICE:  table public\.sale, the target of job "sale", was changed as its source has changed DETAIL:  Columns: v0 from integer to bigint/, 'wider: widened');
is(columns('sale'), 'id integer, at date' . join('', map { ", v$_ $wider[$_][1]" } @numbers), 'wider: the columns');

# Types that the target has all values of anyway.
my @narrower = ([ 'bigint', 'int' ], [ 'varchar(9)', 'varchar(5)' ], [ 'text', 'varchar(5)' ], [ 'numeric(8,2)', 'numeric(6,2)' ], [ 'text', 'int' ], [ 'timestamptz', 'timestamptz(0)' ]);
@numbers = (0 .. $#narrower);
fresh('add', columns => join '', map { ", v$_ $narrower[$_][0]" } @numbers);
$columns = columns('sale');
$source->safe_psql('postgres', 'ALTER TABLE sale ' . join ', ', map { "ALTER v$_ TYPE $narrower[$_][1] USING v$_\::$narrower[$_][1]" } @numbers);
is(results(run_sql('02')), '2', 'narrower: the target has all values');
is(columns('sale'), $columns, 'narrower: the columns stay');

# Types that are neither.
my @other = ([ 'numeric(6,2)', 'numeric(6,4)' ], [ 'int', 'text' ], [ 'int', 'numeric(8,2)' ], [ 'date', 'timestamp with time zone' ], [ 'double precision', 'numeric' ], [ 'bytea', 'text' ]);
@numbers = (0 .. $#other);
fresh('add', columns => join '', map { ", v$_ $other[$_][0]" } @numbers);
$columns = columns('sale');
$source->safe_psql('postgres', 'ALTER TABLE sale ' . join ', ', map { "ALTER v$_ TYPE $other[$_][1] USING v$_\::text::$other[$_][1]" } @numbers);
$said = results(run_sql('02'));
like($said, qr/^ERROR:  query of job "sale" returns other types than before.* HINT:  Run the following, or define the job again to accept the loss: ALTER TABLE public\.sale /, 'other types: an error') or diag($said);
is(join(' ', $said =~ /COLUMN (v\d) TYPE/g), join(' ', map { "v$_" } @numbers), 'other types: all of them') or diag($said);
is(columns('sale'), $columns, 'other types: the columns stay');

# Views, collations, generated and identity columns, domains.
fresh('add', columns => ', v varchar(5) COLLATE "C", n int', also => 'CREATE VIEW first AS SELECT v FROM sale; CREATE VIEW second AS SELECT * FROM first; CREATE MATERIALIZED VIEW third AS SELECT id FROM sale; ALTER TABLE sale ADD twice int GENERATED ALWAYS AS (n * 2) STORED');
$source->safe_psql('postgres', 'ALTER TABLE sale ALTER v TYPE varchar(9)');
$said = results(run_sql('02'));
like($said, qr/^ERROR:  columns of table public\.sale cannot be changed because views use them DETAIL:  .* Views: public\.second, public\.first\. HINT:  Drop the views, run the following, and create the views again: ALTER TABLE public\.sale ALTER COLUMN v TYPE character varying\(9\) COLLATE "C";/, 'views are named, in the order in which they can be dropped') or diag($said);
like(results(q[SELECT value FROM copy_incremental_explain('sale', '2018-07-02') WHERE item = 'error']), qr/views use them/, 'explain says so');
like(results('DROP VIEW second, first', run_sql('02'), q[SELECT collname FROM pg_attribute AS a JOIN pg_collation AS c ON c.oid = attcollation WHERE attrelid = 'sale'::regclass AND attname = 'v']), qr/^2 CNOTICE/, 'the collation stays');
$source->safe_psql('postgres', 'ALTER TABLE sale ADD twice bigint');
is(results(run_sql('03')), '2', 'a generated column is not changed');
$source->safe_psql('postgres', 'ALTER TABLE sale ALTER n TYPE bigint');
like(results(run_sql('04')), qr/^ERROR: .*cannot alter type of a column used by a generated column/, q(a column that a generated column uses: PostgreSQL's error));
fresh('add', also => 'ALTER TABLE sale ALTER id SET NOT NULL, ALTER id ADD GENERATED ALWAYS AS IDENTITY');
$source->safe_psql('postgres', 'ALTER TABLE sale ALTER id TYPE bigint');
like(results(run_sql('02')), qr/^2NOTICE/, 'an identity column is widened');
fresh('add', columns => ', v int', also => 'CREATE DOMAIN whole AS int; ALTER TABLE sale ALTER v TYPE whole');
$source->safe_psql('postgres', 'ALTER TABLE sale ALTER v TYPE bigint');
like(results(run_sql('02')), qr/^ERROR:  query of job "sale" returns other types/, 'a column of a domain is not changed');
$destination->safe_psql('postgres', 'DROP TABLE sale; DROP DOMAIN whole');

# The target of another role, a view, a partition, a foreign key from elsewhere.
$destination->safe_psql('postgres', q[CREATE ROLE etl LOGIN; CREATE ROLE boss; GRANT USAGE ON FOREIGN SERVER src TO etl; SELECT copy_incremental_grant('etl'); CREATE USER MAPPING FOR etl SERVER src OPTIONS (user 'etl_reader', password '] . $TwoServers::password . q[')]);
fresh('add', also => 'GRANT INSERT ON sale TO etl; ALTER TABLE sale OWNER TO boss');
$source->safe_psql('postgres', 'ALTER TABLE sale ADD c int DEFAULT 7');
$destination->safe_psql('postgres', q[UPDATE pgci_jobs SET owner = 'etl'::regrole::oid]);
$said = results('SET ROLE etl', run_sql('02'));
like($said, qr/^ERROR:  must be owner of table public\.sale to change it HINT:  Let its owner run: ALTER TABLE public\.sale ADD COLUMN c integer;/, 'a role that does not own the table') or diag($said);
like(results(q[GRANT boss TO etl], 'GRANT CREATE ON SCHEMA public TO boss', 'SET ROLE etl', run_sql('02')), qr/^2NOTICE/, 'a member of the role that does');
is(results(q[SELECT tableowner FROM pg_tables WHERE tablename = 'sale']), 'boss', 'the owner stays');
fresh('add', also => 'ALTER TABLE sale RENAME TO sale_table; CREATE VIEW sale AS SELECT * FROM sale_table');
$source->safe_psql('postgres', 'ALTER TABLE sale ADD c int DEFAULT 7');
like(results(run_sql('02')), qr/^ERROR:  columns of view public\.sale cannot be changed/, 'a view');
$destination->safe_psql('postgres', 'DROP TABLE sale_table CASCADE');
fresh('add', partition => ' PARTITION BY RANGE (at)', also => 'CREATE TABLE sale_all PARTITION OF sale DEFAULT');
$source->safe_psql('postgres', 'ALTER TABLE sale ADD c int DEFAULT 7; ALTER TABLE sale ALTER id TYPE bigint');
like(results(run_sql('02'), 'SELECT sum(c) FROM sale_all'), qr/^2 14NOTICE/, 'a partitioned table');
fails_with($destination, define_job('trans', 'SELECT * FROM sale', %window, on_new_column => "'add'", transform => "'SELECT * FROM batch'"), '22023', qr/on_new_column has no meaning with transform/, 'with a transform');

# Locks: another session reads, two runs add the same column, a run is cancelled.
fresh('add');
$source->safe_psql('postgres', 'ALTER TABLE sale ADD c int DEFAULT 7');
my ($reader) = open_session($destination);
$reader->query_safe('BEGIN; SELECT count(*) FROM sale');
like(results(q[SET lock_timeout = '100ms'], run_sql('02')), qr/^ERROR:  canceling statement due to lock timeout/, 'lock_timeout');
is(columns('sale'), 'id integer, at date', 'lock_timeout: nothing is changed');
$reader->query_safe('COMMIT');
is(results(q[SELECT count(*) FROM copy_incremental_runs WHERE status = 'succeeded']), '1', 'lock_timeout: no run counts');
my ($first) = open_session($destination);
$first->query_safe('BEGIN; ' . run_sql('02'));
my ($second) = open_session($destination);
start_call($second, run_sql('03'));
ok(wait_until($destination, q[SELECT count(*) > 0 FROM pg_locks WHERE NOT granted]), 'two runs: the second waits');
$first->query_safe('COMMIT');
like($second->query_safe('SELECT count(c), count(*) FROM sale'), qr/4\|6/, 'two runs: both load');
$_->quit for $reader, $first, $second;
is(results(q[SELECT count(ddl) FROM copy_incremental_runs]), '1', 'two runs: one has changed the table');

# Many windows at once, by workers, and a started run.
fresh('add');
$source->safe_psql('postgres', 'ALTER TABLE sale ADD c int DEFAULT 7; ALTER TABLE sale ALTER id TYPE bigint');
like(results(q[CALL copy_incremental_backfill('sale', '2018-07-01', '2018-07-31', workers => 4)]), qr/NOTICE:  table public\.sale, the target of job "sale", was changed/, 'backfill with workers');
is(results('SELECT count(*), count(DISTINCT id), sum(c) FROM sale', 'SELECT count(ddl) FROM copy_incremental_runs'), '62|62|420 1', 'backfill with workers: every row, one change');
is(columns('sale'), 'id bigint, at date, c integer', 'backfill with workers: the columns');
$source->safe_psql('postgres', 'ALTER TABLE sale ADD d int');
$destination->safe_psql('postgres', q[SELECT copy_incremental_forget('sale', '2018-07-05', '2018-07-05', 'sale'); DELETE FROM sale WHERE at = '2018-07-05']);
like(results(q[CALL copy_incremental_backfill('sale', '2018-07-01', '2018-07-31')]), qr/was changed .*Columns: d integer/, 'backfill in the session');

# None of the runs that want to add the column, nor the session that waits for them, keeps a lock that the others wait for.
for my $mode (qw(append replace skip upsert))
{
	fresh('add', columns => ', PRIMARY KEY (id, at)', job => { mode => "'$mode'", retries => 0 });
	$source->safe_psql('postgres', 'ALTER TABLE sale ADD c int DEFAULT 7');
	like(results(q[CALL copy_incremental_backfill('sale', '2018-07-01', '2018-07-31', workers => 4)]), qr/was changed .*Columns: c integer.*30 windows, 60 rows/, "mode $mode, backfill with workers");
	is(results('SELECT count(*), count(DISTINCT id), sum(c) FROM sale', 'SELECT count(ddl) FROM copy_incremental_runs'), '62|62|420 1', "mode $mode, backfill with workers: every row, one change");
}

# A type by name.
on_both(q[CREATE TYPE mood AS ENUM ('ok')], $source, $destination);
$source->safe_psql('postgres', q[ALTER TABLE sale ADD m mood DEFAULT 'ok', ADD ms mood[] DEFAULT '{ok}'; CREATE TYPE other AS ENUM ('x'); ALTER TABLE sale ADD o other DEFAULT 'x']);
$destination->safe_psql('postgres', q[SELECT copy_incremental_forget('sale', '2018-07-05', '2018-07-05', 'sale'); DELETE FROM sale WHERE at = '2018-07-05']);
like(results(run_sql('05')), qr/Columns: m public\.mood, ms public\.mood\[\], o text instead of public\.other\./, 'types by name');

# A column of the target that was renamed or dropped is no new column of the source.
for my $on_new_column ('ignore', 'add')
{
	for my $change ('RENAME note TO remark', 'DROP note')
	{
		fresh($on_new_column, columns => ', note text', job => { mode => "'replace'" });
		$destination->safe_psql('postgres', "ALTER TABLE sale $change");
		like(results(run_sql('01')), qr/table public\.sale, the target of job "sale", no longer has column note DETAIL/, "$on_new_column, $change: an error");
		is(results('SELECT count(*) FROM sale'), '2', "$on_new_column, $change: nothing is changed");
		$destination->safe_psql('postgres', define_job('sale', 'SELECT * FROM sale', %window, on_new_column => "'$on_new_column'", mode => "'replace'"));
		like(results(run_sql('01')), qr/^2/, "$on_new_column, $change: defined again");
	}
}

no_session_left($source, 'no session is left at the source');
done_testing();
