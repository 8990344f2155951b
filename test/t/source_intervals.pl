# Intervals of a source whose version has infinite ones and this server's has not, or the reverse: text, never another value.
use strict;
use warnings;

use FaultyProxy;
use HostileSource;
use ProtocolMessages;
use TwoServers;
use Test::More;

my ($real, $destination) = start_servers();
my $has_infinity = $destination->pg_version >= 17;
my @columns = ([ id => 23 ], [ span => 1186 ], [ spans => 1187 ]);
# The other kind of source sends texts, which it was asked for; the same kind the binary form of a day.
my $day = pack 'NNNN', 0, 0, 1, 0;
my $days = pack 'NNNNN N a*', 1, 0, 1186, 1, 1, length $day, $day;
my ($older, $newer) = map { my $version = $_; sub { map { ref $_ ? $_ : s/15\.20/$version/r } @_ } } '15.20', '17.20';
my ($same, $other) = $has_infinity ? ($newer, $older) : ($older, $newer);
my $as_text = sub { map { !ref $_ && /^T/ ? description([ 'id', 23, 1 ], [ 'span', 25, 1 ], [ 'spans', 25, 1 ]) : $_ } @_ };
my $source = start_hostile_source(
	same => { startup => $same, columns => \@columns, values => [ pack('N', 1), $day, $days ], rows => 1 },
	other => { startup => $other, fetch => $as_text, columns => \@columns, values => [ pack('N', 1), '1 day', '{"1 day"}' ], rows => 1 },
	infinite => { startup => $other, fetch => $as_text, columns => \@columns, values => [ pack('N', 1), 'infinity', '{}' ], rows => 1 },
	infinite_array => { startup => $other, fetch => $as_text, columns => \@columns, values => [ pack('N', 1), '1 day', '{-infinity}' ], rows => 1 });
$destination->safe_psql('postgres', 'CREATE TABLE t (id int, span interval, spans interval[])');

sub call { my ($scenario, @more) = @_; return copy_sql('SELECT * FROM t', undef, src_conninfo => "'" . $source->conninfo($scenario) =~ s/'/''/gr . "'", target => "'t'", @more); }

for my $case ([ same => 'binary' ], [ other => 'text' ])
{
	my ($scenario, $format) = @$case;
	is(one_line($destination, 'default', 'TRUNCATE t', call($scenario), 'SELECT * FROM t'), '1 1|1 day|{"1 day"}', "$format from a source of the $scenario kind");
}
SKIP:
{
	skip 'this server has infinite intervals', 2 if $has_infinity;
	my ($span, $spans) = map { fails_with($destination, call($_), '22007', qr/invalid input syntax for type interval: "-?infinity"/, "$_: an error") } qw(infinite infinite_array);
	like("$span$spans", qr/column "span" of row 1 of the source.*column "spans" of row 1 of the source/s, 'it names the column');
}

# A real source that says it is of the other kind: verify compares what is stored, which may be rounded.
my $proxy = start_faulty_proxy($real->port);
my $conninfo = sprintf q('host=127.0.0.1 port=%d dbname=postgres user=etl_trusted sslmode=disable application_name=''version %d'''),
  $proxy->port, $has_infinity ? 15 : 17;
$real->safe_psql('postgres', q[CREATE TABLE t AS SELECT g AS id, '1.6 s'::interval AS span, '{1.6 s}'::interval[] AS spans FROM generate_series(1, 3) AS g]);
for my $type ('interval', 'interval(0)')
{
	$destination->safe_psql('postgres', "DROP TABLE t; CREATE TABLE t (id int, span $type, spans ${type}[])");
	$destination->safe_psql('postgres', copy_sql('SELECT * FROM t', undef, src_conninfo => $conninfo, target => "'t'"));
	is($destination->safe_psql('postgres', look_sql('verify', 'SELECT * FROM t', undef, src_conninfo => $conninfo, target => "'t'")), 't|3|3|0|0|', "verify: $type");
}
# Converted as values of interval, not as texts.
$real->safe_psql('postgres', q[CREATE TABLE u AS SELECT g AS id, '1 day 10:00'::interval AS span, '{1.6 s}'::interval[] AS spans FROM generate_series(1, 3) AS g]);
for my $method ('cursor', 'copy')
{
	my @call = ('SELECT * FROM u', undef, src_conninfo => $conninfo, target => "'u'");
	$destination->safe_psql('postgres', 'DROP TABLE IF EXISTS u; CREATE TABLE u (id int, span time, spans interval[])');
	is($destination->safe_psql('postgres', copy_sql(@call, method => "'$method'") . '; SELECT DISTINCT span, spans FROM u'), "3\n10:00:00|{00:00:01.6}", "$method: an interval into a time");
	is($destination->safe_psql('postgres', look_sql('verify', @call)), 't|3|3|0|0|', "$method: verify");
}
is($destination->safe_psql('postgres', 'CREATE TABLE v (id int, span interval); ' . copy_sql('SELECT * FROM u', undef, src_conninfo => $conninfo, target => "'v'", transform => q['SELECT id, span * 2 AS span FROM batch']) . '; SELECT DISTINCT span FROM v'),
	"3\n2 days 20:00:00", 'transform: an interval');
done_testing();
