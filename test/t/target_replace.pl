# Mode replace: the slice is deleted and written anew, no row may be outside of it, and nobody sees the hole.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(
	source => "timezone = 'America/New_York'\n",
	destination => "timezone = 'America/New_York'\n");
my $port = $source->port;

# Days of New York; id 20 is the last second of 28 July, 21 the first of 29 July, 29 its last, 30 the next day's first.
my $create = 'CREATE TABLE sale (id int PRIMARY KEY, at timestamptz, local timestamp, day date, value text)';
$source->safe_psql('postgres', <<SQL);
	$create;
	INSERT INTO sale SELECT id, at::timestamptz, at, at, 'v' || id
	  FROM (VALUES (10, timestamp '2018-07-28 10:00'), (20, '2018-07-28 23:59:59.999999'), (21, '2018-07-29 00:00'),
	    (25, '2018-07-29 12:00'), (29, '2018-07-29 23:59:59.999999'), (30, '2018-07-30 00:00')) AS v (id, at);
	CREATE TABLE sale_empty (LIKE sale);
SQL
$destination->safe_psql('postgres', <<SQL);
	$create;
	CREATE TABLE country (code text, name text);
	CREATE EXTENSION dblink;
SQL
# What the target holds before: a neighbour before and after, rows of the day that the source has not.
my $before = q[INSERT INTO sale SELECT id, at::timestamptz, at, at, 'old'
	FROM (VALUES (1, timestamp '2018-07-28 23:59:59.999999'), (2, '2018-07-29 00:00'), (3, '2018-07-29 15:00'),
	  (4, '2018-07-29 23:59:59.999999'), (5, '2018-07-30 00:00')) AS v (id, at)];
my $query = 'SELECT * FROM sale WHERE at >= $1 AND at < $2';
my $ids = q[SELECT string_agg(id::text, ',' ORDER BY id) FROM sale];

sub replace_sql
{
	my ($slice, %option) = @_;
	return copy_sql($option{query} // $query, exists $option{day} ? $option{day} : '2018-07-29', batch => 2,
		mode => "'replace'", target => $option{target} // "'sale'", defined $slice ? (replace_where => "\$slice\$$slice\$slice\$") : ());
}

# An error in replace_where points into it.
for my $case ([ q[created = '{}'], 'created' ], [ q[day = '{}' AND nothing(id)], 'nothing' ], [ 'day >= $1 AND created < $2', 'created' ])
{
	my ($slice, $word) = @$case;
	my $shown = $slice =~ s/\{\}/2018-07-29/r;
	my (undef, undef, $said) = $destination->psql('postgres', replace_sql($slice));
	like($said, qr/ERROR:  .*\b$word\b.*^QUERY:  \Q$shown\E\nCONTEXT:  copying 2018-07-29/ms, "an error in it: $slice");
}

sub results { return one_line($destination, 'default', @_); }

for my $case (
	[ 'timestamptz, $1 and $2', 'at >= $1 AND at < $2' ],
	[ 'timestamp, $1 and $2', 'local >= $1 AND local < $2' ],
	[ 'date, $1 and $2', 'day >= $1 AND day < $2' ],
	[ 'date, $1 alone', 'day = $1' ],
	[ 'timestamptz, {}', q[at::date = date '{}'] ],
	[ 'date, {day} and {next_day}', q[day >= '{day}' AND day < '{next_day}'] ],
	[ 'timestamptz, {start} and {end}', q[at >= '{start}' AND at < '{end}'] ],
	[ 'timestamp, {start} and {end}', q[local >= '{start}' AND local < '{end}'] ],
	[ 'parameters without spaces', 'day>=$1	AND(day<$2)' ],
	[ 'parameters with leading zeros', 'day >= $01 AND day < $002' ],
	[ 'a parameter with a cast', 'at BETWEEN $1::timestamptz AND $2::timestamptz - interval $$1 microsecond$$' ],
	[ 'the name of the target', 'sale.day = $1' ],
	[ 'a comment at the end', 'day = $1 -- the day' ],
	[ 'a string that looks like a parameter', q[day = $1 AND value <> '$2'] ],
	[ 'braces that are literal', q[day = '{}' AND value <> '{{}}'] ],
	[ 'a parameter, braces that mean nothing', q[day = $1 AND value <> '{}'] ],
	[ 'OR at the top', 'day = $1 OR day = $1' ],
	[ 'a subselect', 'day IN (SELECT s.day FROM sale AS s WHERE s.day = $1 UNION SELECT $1::date)' ])
{
	my ($name, $slice) = @$case;
	is(results('TRUNCATE sale', $before, replace_sql($slice), $ids,
			q[SELECT value FROM sale WHERE id IN (2, 25) OR (value = 'old' AND id IN (1, 5)) ORDER BY id]),
		'3 1,5,21,25,29 old old v25', "slice: $name");
}
is(results('TRUNCATE sale', $before, replace_sql('day = $1', query => 'SELECT * FROM sale_empty WHERE at >= $1 AND at < $2'),
		$ids), '0 1,5NOTICE:  source returned no rows for window 2018-07-29 of public.sale, and 3 rows were deleted', 'an empty window empties the slice');
is(results('TRUNCATE sale', $before, replace_sql(undef, day => undef, query => 'SELECT * FROM sale WHERE id < 25'), $ids),
	'3 10,20,21', 'no day, no replace_where: the whole table is refreshed');
is(results('TRUNCATE sale', $before,
		replace_sql(q[value = 'old'], day => undef, query => q[SELECT id, at, local, day, 'old' AS value FROM sale]), $ids),
	'6 10,20,21,25,29,30', 'no day, a replace_where without a day');

# Rows outside of the slice.
$destination->safe_psql('postgres', "TRUNCATE sale; $before");
my $contents = 'SELECT count(*), sum(hashtextextended(s::text, 0)::numeric) FROM sale AS s';
my $unchanged = results($contents);
for my $case (
	[ 'one row', q[SELECT * FROM sale WHERE at >= $1 AND at <= $2], 'day = $1', '1 row of the source is outside' ],
	[ 'a wider window', q[SELECT * FROM sale WHERE id > 20 OR at = $1], 'day = $1', '1 row of the source is outside' ],
	[ 'unknown', $query, 'day = $1 AND NULL', '2 rows of the source are outside' ],
	[ 'another time zone', q[SELECT * FROM sale WHERE at::date = '{}'], q[at AT TIME ZONE 'UTC' >= '{}' AND at AT TIME ZONE 'UTC' < '{next_day}'],
		'1 row of the source is outside' ],
	[ 'NULL', q[SELECT id, NULL::date AS day FROM sale WHERE at = $1], 'day = $1', '1 row of the source is outside' ])
{
	my ($name, $wide, $slice, $message) = @$case;
	my $err = fails_with($destination, replace_sql($slice, query => $wide), '44000', qr/$message of replace_where/,
		"outside of the slice: $name");
	like($err, qr/HINT:  Use the same condition in query_template and replace_where/, "outside of the slice: hint");
	is(results($contents), $unchanged, 'outside of the slice: nothing has changed');
}
is(results('CREATE FUNCTION shift() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.day = NEW.day + 1; RETURN NEW; END$$',
		'CREATE TRIGGER shift BEFORE INSERT ON sale FOR EACH ROW EXECUTE FUNCTION shift()', replace_sql('day = $1')) =~
	  /ERROR:  2 rows of the source are outside/, 1, 'outside of the slice: rows are judged as they are stored');
$destination->safe_psql('postgres', 'DROP TRIGGER shift ON sale');

# What is no condition, or wants to be more than one.
for my $case (
	[ '$1::date = day) OR (true', '42601', 'syntax error' ], [ 'day = $1) OR (true', '42601', 'syntax error' ],
	[ '1=1; DROP TABLE country', '42601', 'replace_where must be a single condition' ],
	[ 'day = $1; DELETE FROM country; --', '42601', 'replace_where must be a single condition' ],
	[ 'day = $1;', '42601', 'syntax error' ], [ 'day = $1 LIMIT 1', '42601', 'must be a single condition' ],
	[ 'day = $1 ORDER BY 1', '42601', 'must be a single condition' ], [ 'day = $1, true', '42601', 'must be a single' ],
	[ 'day = $1 FROM country', '42601', 'must be a single condition' ], [ 'day = $1 UNION SELECT true', '42601', 'syntax error' ],
	[ 'DISTINCT day = $1', '42601', 'must be a single condition' ], [ 'day = $1 AS x', '42601', 'must be a single condition' ],
	[ '$1, *', '42601', 'must be a single condition' ], [ '', '42601', 'replace_where is empty' ], [ '-- all', '42601', 'replace_where is empty' ],
	[ '/* open', '42601', 'unterminated' ], [ q[value = 'open], '42601', 'unterminated' ],
	[ 'day = $1 /* ) */ RETURNING *', '42601', 'syntax error' ], [ 'day = $3', '22023', 'has the parameter \$3' ],
	[ 'day = $2', '22023', 'has \$2 without \$1' ], [ 'day = $02', '22023', 'has \$2 without \$1' ],
	[ q[day = $1 AND day < '{next_day}'], '22023', 'has both the parameter' ],
	[ 'day = {tomorrow}', '22023', 'unknown placeholder' ], [ 'true', '22023', 'has no placeholder for the day' ],
	[ 'nothing = $1', '42703', 'column "nothing" does not exist' ], [ '$1', '22P02', 'invalid input syntax for type boolean' ],
	[ 'id = $1', '42804', 'parameter .1 of replace_where is of type integer' ], [ 'max(day) = $1', '42803', 'aggregate functions' ],
	[ 'day = $1 AND (DELETE FROM country)', '42601', 'syntax error' ],
	[ 'day = $1 AND EXISTS (WITH d AS (DELETE FROM country RETURNING 1) SELECT FROM d)', '0A000', 'at the top level' ])
{
	my ($slice, $sqlstate, $message) = @$case;
	fails_with($destination, replace_sql($slice), $sqlstate, qr/$message/, "no condition: $slice");
}
fails_with($destination, replace_sql('day = $1', day => undef, query => 'TABLE sale'), '22023', qr/day is null/,
	'a day in replace_where alone');
is(results($contents), $unchanged, 'whatever was refused has changed nothing');

# Rights and row security of the user who calls.
$destination->safe_psql('postgres', <<SQL);
	CREATE ROLE loader;
	GRANT EXECUTE ON FUNCTION copy_incremental TO loader;
	GRANT USAGE ON FOREIGN SERVER src TO loader;
	CREATE USER MAPPING FOR loader SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password');
SQL
my $loader = 'SET ROLE loader';
for my $case ([ 'INSERT', 'no DELETE, no SELECT' ], [ 'INSERT, DELETE', 'no SELECT' ], [ 'INSERT, SELECT', 'no DELETE' ],
	[ 'DELETE, SELECT', 'no INSERT' ])
{
	my ($rights, $name) = @$case;
	$destination->safe_psql('postgres', "REVOKE ALL ON sale FROM loader; GRANT $rights ON sale TO loader");
	fails_with($destination, "$loader; " . replace_sql('day = $1'), '42501', qr/permission denied for table sale/,
		"rights: $name");
}
$destination->safe_psql('postgres', 'REVOKE ALL ON sale FROM loader; GRANT INSERT, DELETE ON sale TO loader');
is(results('BEGIN', $loader, replace_sql(undef, day => undef, query => 'TABLE sale'), 'ROLLBACK'), '6',
	'rights: a whole table needs no SELECT');
$destination->safe_psql('postgres', <<'SQL');
	GRANT ALL ON sale TO loader;
	ALTER TABLE sale ENABLE ROW LEVEL SECURITY;
	CREATE POLICY mine ON sale USING (id > 2);
SQL
fails_with($destination, "$loader; " . replace_sql('day = $1'), '0A000', qr/row-level security applies/,
	'row security: refused where it hides rows');
is(results($contents), $unchanged, 'whoever lacks a right has changed nothing');
is(results('TRUNCATE sale', $before, replace_sql('day = $1'), 'ALTER TABLE sale DISABLE ROW LEVEL SECURITY'), '3',
	'row security: the owner of the table is above it');

# Foreign keys to the target: its rows go and come in one statement.
for my $case ([ 'NO ACTION', '3', '21,25' ], [ 'NO ACTION DEFERRABLE INITIALLY DEFERRED', '3', '21,25' ],
	[ 'RESTRICT', 'ERROR', '21,25' ], [ 'CASCADE', '3', '' ], [ 'SET NULL', '3', '' ])
{
	my ($action, $result, $left) = @$case;
	my $out = results('DROP TABLE IF EXISTS line', 'TRUNCATE sale', replace_sql('day = $1'),
		"CREATE TABLE line (sale int REFERENCES sale ON DELETE $action)", 'INSERT INTO line VALUES (21), (25)',
		replace_sql('day = $1'));
	like($out, qr/^3 ?.*$result/, "ON DELETE $action: the day is written again, or not");
	is(results(q[SELECT coalesce(string_agg(sale::text, ',' ORDER BY sale), '') FROM line]), $left,
		"ON DELETE $action does what it says");
}
$source->safe_psql('postgres', 'UPDATE sale SET id = 26 WHERE id = 25');
like(results('DROP TABLE line', 'CREATE TABLE line (sale int REFERENCES sale)', 'INSERT INTO line VALUES (25)',
		replace_sql('day = $1')), qr/ERROR: .*violates foreign key constraint/,
	'ON DELETE NO ACTION: a row that is referenced must not be missing afterwards');
$destination->safe_psql('postgres', 'DROP TABLE line');

# Others see the slice as it was until the transaction ends, then as it is.
my $destination_port = $destination->port;
my $host = $destination->host;
my $other = sub { return "SELECT * FROM dblink('other', \$other\$$_[0]\$other\$) AS r (ids text)" };
is(results("SELECT FROM dblink_connect('other', 'host=$host port=$destination_port dbname=postgres')",
		'TRUNCATE sale', $before, 'BEGIN', replace_sql('day = $1'), $ids, $other->($ids), 'COMMIT', $other->($ids),
		'BEGIN', replace_sql('day = $1'), 'ROLLBACK', $ids),
	'3 1,5,21,26,29 1,2,3,4,5 1,5,21,26,29 3 1,5,21,26,29', 'readers never see a hole');

# A transaction that cannot see what another one wrote meanwhile must not double it.
for my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	like(results("SELECT FROM dblink_connect('other', 'host=$host port=$destination_port dbname=postgres')",
			'TRUNCATE sale', "BEGIN ISOLATION LEVEL $level", 'SELECT count(*) FROM country',
			"SELECT FROM dblink_exec('other', \$other\$INSERT INTO sale VALUES (7, NULL, NULL, '2018-07-29', 'new')\$other\$)",
			replace_sql('day = $1'), 'COMMIT'), qr/ERROR:  could not serialize access/,
		"$level: rows of the slice that it cannot see");
	is(results($ids), '7', "$level: nothing has changed");
	is(results("BEGIN ISOLATION LEVEL $level", replace_sql('day = $1'), replace_sql('day = $1'), 'ROLLBACK'), '3 3',
		"$level: rows that it has written itself");
}

no_session_left($source, 'no session is left at the source');
done_testing();
