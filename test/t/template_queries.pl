# What a template means at the source: parameters by the column's type, positions of errors, what a query may be.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(destination => "timezone = 'America/New_York'\n");

$source->safe_psql('postgres', <<~'SQL');
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	-- An event every six hours of the clocks in New York, around two midnights there.
	CREATE TABLE events AS
	SELECT g AS id, t::date AS d, t, t AT TIME ZONE 'America/New_York' AS tz,
	       to_char(t, 'YYYY') AS code, ARRAY[g::text, 'x'] AS tags, jsonb_build_object('id', g) AS extra,
	       CASE g % 2 WHEN 0 THEN 'sad' ELSE 'happy' END::mood AS feeling
	  FROM generate_series(0, 11) AS g, LATERAL (SELECT timestamp '2018-07-28 00:00' + g * interval '6 hours') AS x(t);
	CREATE SEQUENCE counter;
	GRANT UPDATE ON counter, events TO etl_reader;
	SQL
my $create = <<~'SQL';
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE TABLE events (id int, d date, t timestamp, tz timestamptz, code text, tags text[], extra jsonb, feeling mood);
	SQL
$destination->safe_psql('postgres', $create);
my $ids = q[SELECT string_agg(id::text, ' ') FROM events];

# copied('query', 'ids', name => value): the events of 2018-07-29 that the query copies, in their order.
sub copied
{
	my ($query, $want, $name, %argument) = @_;
	$destination->safe_psql('postgres', 'TRUNCATE events');
	my $day = delete $argument{day} // '2018-07-29';
	copies($destination, copy_sql($query, $day eq 'NULL' ? undef : $day, %argument), scalar(split ' ', $want), $ids, $want, $name);
	return;
}

# Parameters take the type of the column that they are compared with; the day is one of time_zone.
for my $column (qw(d t tz))
{
	copied("SELECT * FROM events WHERE $column >= \$1 AND $column < \$2", '4 5 6 7', "\$1 and \$2 against column $column");
	copied("SELECT * FROM events WHERE $column < \$2 AND $column >= \$1", '4 5 6 7', "\$2 before \$1 against column $column");
}
copied('SELECT * FROM events WHERE d = $1', '4 5 6 7', '$1 alone');
copied('SELECT * FROM events WHERE tz::date = $1::date', '4 5 6 7', "the source's session is in the zone of the run");
copied('SELECT * FROM events WHERE tz >= $1 AND tz < $2', '2 3 4 5', '$1 of another zone', time_zone => "'Asia/Tokyo'");
copied('SELECT * FROM events WHERE t >= $1 AND t < $2', '4 5 6 7', 'a timestamp has no zone', time_zone => "'Asia/Tokyo'");
copied(q[SELECT * FROM events WHERE tz::date = date '{}'], '2 3 4 5', '{} of another zone', time_zone => "'Asia/Tokyo'");

# Placeholders.
copied(q[SELECT * FROM events WHERE t::text LIKE '{day}%'], '4 5 6 7', '{day} in a string');
copied(q[SELECT * FROM events WHERE d >= '{day}' AND d < '{next_day}'], '4 5 6 7', '{day} and {next_day}');
copied(q[SELECT * FROM events WHERE tz >= '{start}' AND tz < '{end}'], '4 5 6 7', '{start} and {end}');
copied(q[SELECT * FROM events WHERE d = '{}' AND code ~ '^\d{{4}}$' AND tags <> '{{}}' AND extra @> '{{"id": 5}}'], '5',
	'doubled braces are braces');
# With parameters braces mean nothing.
copied(q[SELECT * FROM events WHERE d = $1 AND code ~ '^\d{4}$' AND tags <> '{}' AND tags @> '{5,x}' AND extra @> '{"id": 5}'],
	'5', 'with $1, braces are braces');
fails_with($destination, copy_sql(q[SELECT * FROM events WHERE d = '{}' AND t = $1], '2018-07-29'), '22007',
	qr/invalid input syntax for type date: "\{\}".*its braces mean nothing: \{\} was not replaced by the day/s,
	'{} beside $1: the error of the source is explained');
fails_with($destination, copy_sql(q[SELECT * FROM events WHERE d = '{}' AND t < $1], '2018-07-29'), '22023',
	qr/has an upper bound but no lower bound.*Braces mean nothing beside \$1: \{\} is not replaced by the day/s,
	'{} beside $1: one bound only');

# What a query may be.
copied('SELECT * FROM events WHERE d = $1 ORDER BY id DESC', '7 6 5 4', 'ORDER BY is kept');
copied('SELECT * FROM events WHERE d = $1 ORDER BY id DESC LIMIT 2 OFFSET 1', '6 5', 'LIMIT and OFFSET are kept', batch => 1);
copied('WITH day AS (SELECT * FROM events WHERE d = $1) SELECT * FROM day', '4 5 6 7', 'WITH', target => "'events'");
copied('SELECT * FROM events WHERE d = $1 AND id < 6 UNION ALL SELECT * FROM events WHERE d = $1 AND id >= 6', '4 5 6 7',
	'UNION', target => "'events'");
copied('SELECT column1 AS id FROM (VALUES (4), (5)) AS v', '4 5', 'VALUES in FROM', target => "'events'", day => 'NULL');
copied('TABLE events', '0 1 2 3 4 5 6 7 8 9 10 11', 'TABLE', day => 'NULL');
copied('(SELECT * FROM events WHERE d = $1)', '4 5 6 7', 'parentheses');
copied('SELECT * FROM ONLY events AS e TABLESAMPLE system (100) WHERE d = $1', '4 5 6 7', 'ONLY, AS, TABLESAMPLE');
copied("SELECT id, feeling FROM events WHERE d = \$1 -- the enum travels as text", '4 5 6 7', 'a comment at the end');
copied("SELECT id, feeling FROM events WHERE d = \$1; -- ) AS q;", '4 5 6 7', 'a semicolon and a comment at the end');
copied("SELECT id, feeling FROM events WHERE d = \$1 /* ) AS q */", '4 5 6 7', 'a block comment at the end');
$destination->safe_psql('postgres', 'CREATE TABLE v (column1 int, column2 text)');
copies($destination, copy_sql(q[VALUES (1, 'a'), (2, 'b')], undef, target => "'v'"), 2,
	q[SELECT string_agg(column1 || column2, ' ') FROM v], '1a 2b', 'VALUES');

# Errors of the source: their SQLSTATE, and their place in the user's own text, also where it is wrapped in ours.
my $err = fails_with($destination, copy_sql("SELECT *\n  FROM events WHERE WHERE d = \$1", '2018-07-29'), '42601',
	qr/syntax error at or near "WHERE"/, 'a syntax error');
like($err, qr/^LINE 2:   FROM events WHERE WHERE d = \$1\n {28}\^$/m, 'a syntax error: its line and caret');
like($err, qr/^CONTEXT:  .*on source server src\ncopying 2018-07-29$/m, 'a syntax error: whose it is');
$err = fails_with($destination, copy_sql(q[SELECT id, é FROM events WHERE d = '{}'], '2018-07-29'), '42703',
	qr/column "é" does not exist/, 'a column that is missing');
like($err, qr/^LINE 1: SELECT id, é FROM events WHERE d = '2018-07-29'\n {19}\^$/m, 'a missing column: its place after {}');
fails_with($destination, copy_sql('SELECT * FROM no_such_table WHERE d = $1', '2018-07-29'), '42P01',
	qr/relation "no_such_table" does not exist.*on source server src/s, 'a table that is missing at the source');
fails_with($destination, copy_sql('SELECT id FROM events WHERE id / (id - 5) > $1::date - d', '2018-07-29'), '22012',
	qr/division by zero.*on source server src\ncopying 2018-07-29 into public.events, batch 1/s, 'an error among the rows');
fails_with($destination, copy_sql('SELECT FROM events', undef, target => "'events'"), '42804',
	qr/query template returns no columns.*HINT:/s, 'no columns');
fails_with($destination, copy_sql('SELECT $1 + $2 AS id', '2018-07-29', target => "'events'"), '42725', qr/operator is not unique/,
	'parameters without a type of their own');

# What this server's parser cannot read is left to the source.
fails_with($destination, copy_sql('SELECT id FROM events GLORIOUS JOIN', undef, target => "'events'"), '42601',
	qr/syntax error.*on source server src/s, 'unknown syntax: the source judges it');
fails_with($destination, copy_sql("select 1) to program 'touch pgci_was_here' --", undef, target => "'events'"), '42601',
	qr/syntax error at or near "\)".*on source server src/s, 'a query that would leave a wrapping COPY');
ok(!-e $source->data_dir . '/pgci_was_here', 'and no file was made');

# The source is only read.
for my $case (
	[ q[SELECT nextval('counter') AS id], 'a sequence is not advanced', qr/cannot execute nextval\(\) in a read-only/ ],
	[ 'SELECT * FROM events FOR UPDATE', 'rows are not locked', qr/cannot execute SELECT FOR UPDATE in a read-only/ ],
	[ 'SELECT * FROM events FOR KEY SHARE', 'nor for key share', qr/cannot execute SELECT FOR KEY SHARE in a read-only/ ],
	[ q[SELECT setval('counter', 7) AS id], 'setval', qr/cannot execute setval\(\) in a read-only/ ],
	[ 'DELETE FROM events RETURNING id', 'DELETE ... RETURNING', qr/query template must not write at the source/ ],
	[ 'WITH gone AS (DELETE FROM events RETURNING id) SELECT * FROM gone', 'WITH DELETE', qr/must not write at the source/ ])
{
	my ($query, $name, $message) = @$case;
	fails_with($destination, copy_sql($query, undef, target => "'events'"), '25006', $message, "read only: $name");
}
fails_with($destination, copy_sql('(WITH gone AS (DELETE FROM events RETURNING id) SELECT * FROM gone) UNION ALL SELECT 1', undef,
	target => "'events'"), '0A000', qr/WITH clause containing a data-modifying statement must be at the top level/,
	'read only: WITH DELETE below a UNION');
is($source->safe_psql('postgres', 'SELECT is_called FROM counter'), 'f', 'read only: nothing has happened');

# Jinja, as Airflow uses it, replaces {{4}} by 4.
SKIP:
{
	skip 'Python has no jinja2', 4 unless system('python3 -c "import jinja2" 2>/dev/null') == 0;
	my $matches = q(SELECT * FROM events WHERE d = '{}' AND code ~ '^\d{{4}}$' AND id = 5);
	my $render = sub { my ($text) = @_; return run_python('import jinja2, sys; print(jinja2.Template(sys.argv[1]).render())', $text); };
	is($render->($matches), $matches =~ s/\{\{4\}\}/4/r, 'Jinja reads doubled braces as its own');
	copied($render->('{% raw %}' . $matches . '{% endraw %}'), '5', 'raw keeps them');
	my $bound = q(SELECT * FROM events WHERE d = $1 AND code ~ '^\d{4}$' AND id = 5);
	is($render->($bound), $bound, 'single braces are not of Jinja');
	copied($render->($bound), '5', 'with $1, braces are literal');
}

sub run_python
{
	my @arguments = @_;
	open my $out, '-|', 'python3', '-c', @arguments or die;
	return join('', <$out>) =~ s/\n\z//r;
}

no_session_left($source, 'no session is left at the source');
done_testing();
