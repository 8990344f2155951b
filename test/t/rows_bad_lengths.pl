# A value whose length is not that of its type is a bad value, whether it is too short or too long: on_error => 'reject' puts its row
# aside, without it the run fails, and the SQLSTATE is the same. A broken frame is no value, and ends the run.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use PostgreSQL::Test::Cluster;
use TwoServers;
use Test::More;

# Types whose values have one length, and an example.
my %fixed = (bool => [ 16, 1 ], '"char"' => [ 18, 1 ], int8 => [ 20, 8 ], int2 => [ 21, 2 ], int4 => [ 23, 4 ], oid => [ 26, 4 ],
	xid => [ 28, 4 ], point => [ 600, 16 ], box => [ 603, 32 ], float4 => [ 700, 4 ], float8 => [ 701, 8 ], money => [ 790, 8 ],
	macaddr => [ 829, 6 ], date => [ 1082, 4 ], time => [ 1083, 8 ], timestamp => [ 1114, 8 ], timestamptz => [ 1184, 8 ],
	interval => [ 1186, 16 ], timetz => [ 1266, 12 ], uuid => [ 2950, 16 ]);
# Of these the first bytes say how many follow.
my %counted = (numeric => [ 1700, pack('nnnnn', 1, 0, 0, 0, 7) ], 'int4[]' => [ 1007, pack('NNNNNNN', 1, 0, 23, 1, 1, 4, 7) ],
	inet => [ 869, pack('CCCCN', 2, 32, 0, 4, 1) ], bit => [ 1560, pack('NC', 1, 128) ], int4range => [ 3904, pack('CNNNN', 2, 4, 1, 4, 9) ]);

my $destination = PostgreSQL::Test::Cluster->new('destination');
# An interval is sent as text where only one of the two has infinite ones.
my $version = $destination->pg_version >= 17 ? '17.20' : '15.20';
my (%scenarios, @cases);
sub add
{
	my ($type, $name, $oid, $good, $bad) = @_;
	$scenarios{"$type $name"} = { startup => sub { return map { ref $_ ? $_ : s/15\.20/$version/r } @_ }, columns => [ [ 'id', $oid ], [ 'note', 25 ] ], values => [ $good, 'a row' ],
		fetch => sub { my $first = 0; return map { /^D/ && !$first++ ? row($bad, 'bad') : $_ } @_ } };
	push @cases, [ $type, $name ];
	return;
}
for my $type (sort keys %fixed)
{
	my ($oid, $length) = @{ $fixed{$type} };
	my $good = "\0" x $length;
	add($type, "of $_ bytes", $oid, $good, "\0" x $_) for grep { $_ != $length } 0, $length - 1, $length + 1, 40;
}
for my $type (sort keys %counted)
{
	my ($oid, $good) = @{ $counted{$type} };
	add($type, 'of no byte', $oid, $good, '');
	add($type, 'a byte too short', $oid, $good, substr $good, 0, -1);
	add($type, 'a byte too long', $oid, $good, "$good\0");
}
my $hostile = start_hostile_source(%scenarios,
	frame => { fetch => replace_first('D', message('D', pack('n N a*', 2, 400, 'four'))) });

$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->start;
$destination->safe_psql('postgres', 'CREATE EXTENSION pg_copy_incremental');
my ($session) = open_session($destination);

sub call
{
	my ($scenario, %argument) = @_;
	my $conninfo = $hostile->conninfo($scenario);
	return copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$$conninfo\$c\$", batch => 5, target => "'rows'", %argument);
}

for my $case (@cases)
{
	my ($type, $name) = @$case;
	$session->query_safe("DROP TABLE IF EXISTS rows; CREATE TABLE rows (id $type, note text); TRUNCATE pgci_rejects");
	my ($state, $said) = outcome_of($session, call("$type $name"));
	is($state, '22P03', "$type $name: the run fails") or diag($said);
	($state, $said) = outcome_of($session, call("$type $name", on_error => "'reject'"));
	is($state, '00000', "$type $name: the row is rejected") or diag($said);
	# Each FETCH has one such row: 5, 5 and 2 rows.
	is($session->query_safe("SELECT (SELECT count(*) FROM rows WHERE note = 'a row'), (SELECT count(*) FROM rows WHERE note = 'bad'), count(*),"
			. " string_agg(DISTINCT sqlstate || ' ' || column_name, ', ') FROM copy_incremental_rejects"), '9|0|3|22P03 id', "$type $name: the others are loaded");
}

$session->query_safe('DROP TABLE rows; CREATE TABLE rows (id int, note text); TRUNCATE pgci_rejects');
is((outcome_of($session, call('frame', on_error => "'reject'")))[0], '08P01', 'a frame that is broken ends the run');
is($session->query_safe('SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM copy_incremental_rejects)'), '0|0', 'and nothing is loaded');
$session->quit;
done_testing();
