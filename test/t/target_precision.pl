# Columns that store less than the source sends: what describe says, and rows that rounding moves out of their window.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE event (id int, at timestamptz, local timestamp, note text);
	INSERT INTO event SELECT id, at::timestamptz, at::timestamptz AT TIME ZONE 'UTC', 'n' || id FROM (VALUES (1, '2018-07-28 12:00:00.2+00'), (2, '2018-07-28 23:59:59.7+00'),
	  (3, '2018-07-29 00:00:00.1+00'), (4, '2018-07-29 12:00+00')) AS v (id, at);
	SQL

sub results { return one_line($destination, 'default', @_); }

sub load_sql
{
	my ($day, $mode, %argument) = @_;
	return copy_sql('SELECT id, at, note FROM event', $day, mode => "'$mode'", target => "'event'", time_zone => "'UTC'", window_column => "'at'", %argument);
}

# A row that is rounded into the next window is refused in every mode, because a replace of that window would delete it.
my $ids = q[SELECT coalesce(string_agg(id::text, ',' ORDER BY id), 'none') FROM event];
for my $case ([ 'timestamptz(0)', '2018-07-29 00:00:00+00' ], [ 'timestamp(0)', '2018-07-29 00:00:00' ])
{
	my ($type, $stored) = @$case;
	for my $call (map({ [ append => $_ ] } qw(cursor copy)), [ skip => 'cursor' ], [ upsert => 'cursor' ], map { [ replace => $_ ] } qw(cursor copy))
	{
		my ($mode, $method) = @$call;
		my $name = "$type, $mode, $method";
		my @method = (method => "'$method'");
		$destination->safe_psql('postgres', "SET client_min_messages = error; DROP TABLE IF EXISTS event; CREATE TABLE event (id int PRIMARY KEY, at $type, note text)");
		my $said = fails_with($destination, load_sql('2018-07-28', $mode, @method), '44000',
			$mode eq 'replace' ? qr/1 row of the source is outside of replace_where/ : qr/1 row of the source would be stored outside of its window/, "$name: 44000");
		like($said, qr/DETAIL:.*As it would be stored: [({].*\Q$stored\E/, "$name: the row as it would be stored");
		like($said, qr/As it came: [({].*2018-07-28 23:59:59\.7\+00/, "$name: the row as it came") unless $method eq 'copy';
		is(results($ids), 'none', "$name: nothing is loaded");
		is(results(load_sql('2018-07-29', $mode, @method), $ids), '2 3,4', "$name: a window whose rows stay in it");
	}
}
$destination->safe_psql('postgres', 'DROP TABLE event; CREATE TABLE event (id int PRIMARY KEY, at timestamptz(0), note text)');
is(results(load_sql('2018-07-28', 'append', on_error => "'reject'"), $ids, "SELECT sqlstate, source_row ->> 'at' FROM copy_incremental_rejects"),
	'1 1 44000|2018-07-28 23:59:59.7+00', 'the row is put aside');
is(results('TRUNCATE event, pgci_runs', load_sql('2018-07-28', 'append', transform => q['SELECT id, date_trunc($$second$$, at) AS at, note FROM batch'], on_rerun => "'run'"), $ids) =~ /^2 1,2/, 1,
	'a transform that rounds down');
# Rounding within the window is none of its business, and neither is a precision that the column has at the source, too.
is(results('TRUNCATE event, pgci_runs', load_sql('2018-07-29', 'append'), $ids), '2 3,4', 'rounding within the window');
is(results('TRUNCATE event, pgci_runs', copy_sql('SELECT id, at::timestamptz(0) AS at, note FROM event', '2018-07-28', target => "'event'", time_zone => "'UTC'", window_column => "'at'"), $ids), '1 1',
	'rounded at the source');

# What describe says, and whether the value of the source is what is then stored.
my @pairs = (
	[ 'timestamptz', 'timestamptz(0)', q['2018-07-28 10:00:00.7+00'], 'rounded to 0 digits of a second' ], [ 'timestamp', 'timestamp(3)', q['2018-07-28 10:00:00.0007'], 'rounded to 3 digits of a second' ],
	[ 'timestamp(3)', 'timestamp(3)', q['2018-07-28 10:00:00.007'], '' ], [ 'timestamp(3)', 'timestamp', q['2018-07-28 10:00:00.007'], '' ], [ 'timestamptz', 'date', q['2018-07-28 10:00+00'], 'without the time of day' ],
	[ 'timestamp', 'time', q['2018-07-28 10:00'], 'without the date' ], [ 'time', 'time(0)', q['10:00:00.7'], 'rounded to 0 digits' ], [ 'timetz', 'time', q['10:00+02'], 'without the time zone' ],
	[ 'interval', 'interval(0)', q['0.7 s'], 'rounded to 0 digits' ], [ 'interval', 'time', q['1 day 10:00'], 'without days and months' ], [ 'date', 'timestamp', q['2018-07-28'], '' ],
	[ 'numeric', 'numeric(10,2)', '1.005', 'rounded to 2 decimals' ], [ 'numeric(10,2)', 'numeric(12,2)', '1.05', '' ], [ 'numeric(10,2)', 'numeric', '1.05', '' ], [ 'int', 'numeric(10,2)', '7', '' ],
	[ 'numeric', 'int', '1.5', 'rounded to a whole number' ], [ 'float8', 'bigint', '1.5', 'rounded to a whole number' ], [ 'numeric(10,0)', 'bigint', '7', '' ], [ 'float8', 'numeric(10,2)', '1.005', 'rounded to 2 decimals' ],
	[ 'float8', 'real', '0.1234567890123', 'rounded to about 6 digits' ], [ 'numeric', 'float8', '0.12345678901234567890', 'rounded to about 15 digits' ], [ 'bigint', 'float8', '9007199254740993', 'rounded to about 15 digits' ],
	[ 'smallint', 'real', '7', '' ], [ 'int', 'bigint', '7', '' ], [ 'text', 'varchar', q['a'], '' ], [ 'numeric[]', 'numeric(10,1)[]', q['{1.05}'], 'rounded to 1 decimals' ], [ 'timestamptz', 'seconds', q['2018-07-28 10:00:00.7+00'], 'rounded to 0 digits' ]);
$destination->safe_psql('postgres', 'CREATE DOMAIN seconds AS timestamptz(0)');
my $columns = sub { my ($place) = @_; my $n = 0; return join ', ', map { 'c' . ++$n . " $_->[$place]" } @pairs };
my $values = join ', ', map { $_->[2] } @pairs;
$source->safe_psql('postgres', 'CREATE TABLE pair (' . $columns->(0) . "); INSERT INTO pair VALUES ($values)");
$destination->safe_psql('postgres', 'CREATE TABLE pair (' . $columns->(1) . "); CREATE TABLE as_sent (" . $columns->(0) . ')');
is(results(map { copy_sql('SELECT * FROM pair', undef, target => "'$_'") } qw(pair as_sent)), '1 1', 'all are copied');
my $number = 0;
my %note = map { split /\|/, $_, 2 } split /\n/, $destination->safe_psql('postgres', look_sql('describe', 'SELECT * FROM pair', undef, as => "SELECT source_column, coalesce(note, '') FROM (%s) AS d"));
for my $pair (@pairs)
{
	my ($from, $into, undef, $lost) = @$pair;
	my $column = 'c' . ++$number;
	my $name = "$from into $into";
	is($note{$column} =~ /loses precision: \Q$lost\E/ ? 1 : 0, $lost eq '' ? 0 : 1, "describe: $name") or diag($note{$column});
	# Converted back to the type of the source, the stored value is what the source sent, or not.
	my $back = $into eq 'time' ? 'text' : $from;
	is($destination->safe_psql('postgres', "SELECT (SELECT $column FROM pair)::${back}::text = (SELECT $column FROM as_sent)::${back}::text"), $lost eq '' ? 't' : 'f', "stored: $name");
}
$destination->safe_psql('postgres', 'DROP TABLE event; CREATE TABLE event (id int, at timestamptz(0), note text)');
like($destination->safe_psql('postgres', look_sql('describe', 'SELECT id, at, note FROM event', '2018-07-28', window_column => "'at'", target => "'event'")),
	qr/at\|.*loses precision: rounded to 0 digits of a second; rows that move out of their window are refused/, 'describe: the column of the window');

# The number of a large object is copied, its content only if the query selects it.
$source->safe_psql('postgres', 'CREATE TABLE document (id int, doc oid)');
$destination->safe_psql('postgres', 'CREATE TABLE document (id int, doc oid)');
like($destination->safe_psql('postgres', look_sql('describe', 'SELECT * FROM document', undef)), qr/doc\|oid\|.*an OID of the source; of a large object, select its content with lo_get\(\)/, 'describe: an oid');

no_session_left($source, 'no session is left at the source');
done_testing();
