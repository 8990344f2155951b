# Method copy and a COPY stream that is wrong, cut, silent or endless: a clear error, the target as before, nothing left.
# B and F numbers as in test/reliability.md.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use List::Util qw(sum0);
use TwoServers;
use Test::More;

my $broken = qr/source server sent an unexpected response|connection to source server was lost/;
my $header = "PGCOPY\n\377\r\n\0" . pack 'NN', 0, 0;
my $row = pack('n N N N a*', 2, 4, 1, 5, 'row 1');
my $trailer = pack 'n', 65535;

# The first CopyData message gives way to one that begins with another header.
sub with_header { my ($new) = @_; return sub { return map { /^d/ && s/\Q$header\E// ? copy_data($new . substr $_, 5) : $_ } @_ } }
# The stream ends after so many messages of CopyData.
sub cut_after { my ($count, @end) = @_; return sub { my $n = 0; return ((grep { !/^[dcCZ]/ || /^d/ && ++$n <= $count } @_), @end) } }

# Number, what is wrong, scenario, SQLSTATE, message, and the statement_timeout that ends it where nothing else does.
my @cases = (
	[ 'B48', 'an integer of three bytes', { copy => insert_after('d', copy_data(pack('n N a3 N a*', 2, 3, 'abc', 1, 'x'))) }, '08P01', qr/insufficient data/ ],
	[ 'B48', 'an integer of eight bytes', { copy => insert_after('d', copy_data(pack('n N a8 N a1', 2, 8, 'abcdefgh', 1, 'x'))) }, '22P03', qr/incorrect binary data/ ],
	[ 'B53', 'a zero byte', { copy => insert_after('d', copy_data(pack('n N N N a2', 2, 4, 1, 2, "a\0"))) }, '22021', qr/0x00/ ],
	[ 'B53', 'a text that is not UTF-8', { copy => insert_after('d', copy_data(pack('n N N N a*', 2, 4, 1, 2, "\377\376"))) }, '22021', qr/invalid byte sequence/ ],
	[ 'B58', 'another signature', { copy => with_header('PGCOPX' . substr $header, 6) }, '22P04', qr/COPY file signature not recognized/ ],
	[ 'B58', 'a critical flag that nobody knows', { copy => with_header(substr($header, 0, 11) . pack 'NN', 1 << 20, 0) }, '22P04', qr/unrecognized critical flags/ ],
	[ 'B58', 'OIDs', { copy => with_header(substr($header, 0, 11) . pack 'NN', 1 << 16, 0) }, '22P04', qr/invalid COPY file header/ ],
	[ 'B58', 'a header that is cut', { copy => sub { return ((grep { /^[12H]/ } @_), copy_data(substr $header, 0, 9), message('c'), complete('COPY 0'), $_[-1]) } },
		'22P04|08P01', qr/./ ],
	[ 'B58', 'an end in mid-field', { copy => insert_after('d', copy_data(pack('n N a3', 2, 10, 'cut')), message('c'), complete('COPY 1'), ready('T')) }, '08P01', qr/$broken/ ],
	[ 'B58', 'a field that is cut', { copy => sub { return ((grep { /^[12H]/ } @_), copy_data($header . pack('n NN N', 2, 4, 1, 5) . 'row'), message('c'), complete('COPY 1'), $_[-1]) } },
		'08P01', qr/without its end/ ],
	[ 'B46', 'a row of one field', { copy => insert_after('d', copy_data(pack 'n N N', 1, 4, 1)) }, '22P04', qr/row field count is 1, expected 2/ ],
	[ 'B71', 'a field of length -7', { copy => insert_after('d', copy_data(pack 'n l> N a', 2, -7, 1, 'x')) }, '22P04', qr/invalid field size/ ],
	[ 'B59', 'data after the trailer', { copy => insert_before('c', copy_data($row)) }, '22P04', qr/received copy data after EOF marker/ ],
	[ 'B60', 'no trailer', { copy => sub { return grep { $_ ne copy_data($trailer) } @_ } }, '08P01', qr/without its end/ ],
	[ 'B60', 'no data', { copy => sub { return ((grep { /^[12H]/ } @_), message('c'), complete('COPY 0'), $_[-1]) } }, '22P04|08P01', qr/signature|without its end/ ],
	[ 'B72', 'COPY 11', { copy => replace_first('C', complete('COPY 11')) }, '08P01', qr/12 rows received, COPY 11 announced/ ],
	[ 'B72', 'no CommandComplete', { copy => without('C') }, '08P01', qr/unexpected response/ ],
	[ 'B72', 'COPY 99', { copy => replace_first('C', complete('COPY 99')) }, '08P01', qr/12 rows received, COPY 99 announced/ ],
	[ 'B72', 'no count', { copy => replace_first('C', complete('COPY')) }, '08P01', qr/$broken/ ],
	[ 'B72', 'a row was left out', { copy => sub { my $n = 0; return grep { !(/^d/ && ++$n == 3) } @_ } }, '08P01', qr/$broken/ ],
	[ 'B69', 'no CopyOut', { copy => without('H') }, '08P01', qr/$broken/ ],
	[ 'B69', 'another CopyOut in mid-stream', { copy => insert_after('d', message('H', pack 'Cnnn', 1, 2, 1, 1)) }, '08P01|08006', qr/$broken/ ],
	[ 'B70', 'data of 2 GB', { copy => insert_after('d', 'd' . pack('N', 2**31 - 1), silence()) }, '08006|54000', qr/$broken/ ],
	[ 'B70', 'data of 4 GB', { copy => insert_after('d', 'd' . pack('N', 2**32 - 1), silence()) }, '08006', qr/$broken/ ],
	[ 'B70', 'a message of length 2', { copy => insert_after('d', 'd' . pack('N', 2), silence()) }, '08006', qr/$broken/ ],
	[ 'B70', 'a message of type %', { copy => insert_after('d', message('%', 'x'), silence()) }, '08P01|08006', qr/$broken/ ],
	[ 'B70', 'a message of type zero', { copy => insert_after('d', message("\0", 'x'), silence()) }, '08P01|08006', qr/$broken/ ],
	[ 'B71', 'success, then an error', { copy => insert_after('C', error(C => '22012')) }, '22012|08P01', qr/a failure|$broken/ ],
	[ 'B72', 'a negative count', { copy => replace_first('C', complete('COPY -12')) }, '08P01', qr/$broken/ ],
	[ 'B72', 'the count of another command', { copy => replace_first('C', complete('MOVE 12')) }, '08P01', qr/MOVE 12 announced/ ],
	(map { [ 'B73', "SQLSTATE $_->[0]", { copy => replace_first('C', error(C => $_->[1])) }, $_->[2], qr/a failure/ ] }
		[ 'of a warning', '01000', '08006' ], [ 'of no data', '02000', '08006' ], [ 'that is short', '4', '08006' ],
		[ 'that is long', '42P01x', '08006' ], [ 'that is binary', "\1\2\377\e\5", '08006' ], [ 'in small letters', '42p01', '08006' ],
		[ '57014', '57014', '38000' ], [ 'P0004', 'P0004', '38000' ]),
	[ 'B73', 'an error without fields', { copy => replace_first('C', message('E', "\0")) }, '08006|08P01', qr/./ ],
	[ 'B73', 'an error without an end', { copy => replace_first('C', message('E', "SERROR\0C22012\0Ma fail")) }, '08006|08P01|22012', qr/./ ],
	[ 'B73', 'an admin shutdown', { copy => replace_first('C', error(S => 'FATAL', C => '57P01'), hang_up()) }, '08006', qr/a failure/ ],
	[ 'B73', 'a message of 50 MB', { copy => sub { return replace_first('C', error(C => '22012', M => 'long ' x 10_000_000))->(@_) } }, '08P01', qr/$broken/ ],
	[ 'B73', 'bytes that are not UTF-8 and a clearing of the screen', { copy => replace_first('C', error(C => '22012', M => "x\377\376\e[2J\a")) },
		'22012', qr/x\?\?\?\[2J\?/ ],
	[ 'B74', 'CopyBoth', { copy => sub { return ((grep { /^[12]/ } @_), message('W', pack 'Cn', 0, 0), silence()) } }, '08P01|08006', qr/$broken/ ],
	[ 'B74', 'nothing', { copy => sub { return $_[-1] } }, '08P01', qr/$broken/ ],
	[ 'B74', 'EmptyQuery', { copy => sub { return ((grep { /^[12]/ } @_), message('I'), $_[-1]) } }, '08P01', qr/$broken/ ],
	[ 'B74', 'two streams', { copy => sub { my @body = grep { !/^[12Z]/ } @_; return ((grep { /^[12]/ } @_), @body, @body, $_[-1]) } }, '08P01|08006', qr/$broken/ ],
	[ 'B75', 'client_encoding is LATIN1 at the end', { copy => insert_before('Z', parameter('client_encoding', 'LATIN1')) }, '08P01', qr/$broken/ ],
	[ 'B75', 'standard_conforming_strings is off', { copy => insert_after('d', parameter('standard_conforming_strings', 'off')) }, '08P01', qr/$broken/ ],
	[ 'B71', 'an error in mid-stream', { copy => insert_after('d', error(C => '22012')) }, '22012', qr/a failure/ ],
	[ 'B71', 'an error after the data', { copy => replace_first('C', error(C => '22012')) }, '22012', qr/a failure/ ],
	[ 'B73', 'SQLSTATE 00000', { copy => replace_first('C', error(C => '00000')) }, '08006', qr/a failure/ ],
	[ 'B74', 'rows instead of COPY', { copy => sub { return ((grep { /^[12]/ } @_), description([ 'id', 23, 1 ]), row('x'), complete('SELECT 1'), $_[-1]) } }, '08P01', qr/$broken/ ],
	[ 'B74', 'CopyIn', { copy => sub { return ((grep { /^[12]/ } @_), message('G', pack 'Cn', 0, 0), silence()) } }, '08P01', qr/$broken/ ],
	[ 'B74', 'text format', { copy => replace_first('H', message('H', pack 'Cnnn', 0, 2, 0, 0)) }, '08P01', qr/number or format of columns/ ],
	[ 'B74', 'three columns', { copy => replace_first('H', message('H', pack 'Cnnnn', 1, 3, 1, 1, 1)) }, '08P01', qr/number or format of columns/ ],
	[ 'B74', 'one column', { copy => replace_first('H', message('H', pack 'Cnn', 1, 1, 1)) }, '08P01', qr/number or format of columns/ ],
	[ 'B74', 'a row instead of CopyOut', { copy => replace_first('H', row('a', 'b')) }, '08P01', qr/unexpected response/ ],
	[ 'B74', 'CopyIn instead of CopyOut', { copy => replace_first('H', message('G', pack 'Cnnn', 1, 2, 1, 1)) }, '08P01', qr/unexpected response/ ],
	[ 'B71', 'an error instead of CopyDone', { copy => replace_first('c', error(C => '22012')) }, '22012', qr/a failure/ ],
	[ 'B75', 'client_encoding changes', { copy => insert_after('d', parameter('client_encoding', 'LATIN1')) }, '08P01', qr/client_encoding/ ],
	[ 'F13', 'an end in mid-message', { copy => insert_after('d', substr(copy_data($row), 0, 9), hang_up()) }, '08006', qr/$broken/ ],
	[ 'F13', 'an end after rows', { copy => cut_after(5, hang_up()) }, '08006', qr/was lost/ ],
	[ 'F13', 'an end instead of CopyDone', { copy => replace_first('c', hang_up()) }, '08006', qr/was lost/ ],
	[ 'F13', 'a reset before CommandComplete', { copy => replace_first('C', reset_connection()) }, '08006', qr/$broken/ ],
	[ 'F11', 'silent after COPY began', { copy => cut_after(0, silence()) }, '57014', qr/statement timeout/, '300ms' ],
	[ 'F11', 'silent after rows', { copy => cut_after(5, silence()) }, '57014', qr/statement timeout/, '300ms' ],
	[ 'F11', 'silent before CommandComplete', { copy => replace_first('C', silence()) }, '57014', qr/statement timeout/, '300ms' ],
	[ 'F17', 'notices', { copy => insert_after('d', flood(notice(M => 'noise ' x 100))) }, '57014', qr/statement timeout/, '1s' ],
	[ 'F18', 'rows', { copy => insert_after('d', flood(copy_data($row))) }, '57014', qr/statement timeout/, '1s' ]);

my $hostile = start_hostile_source(good => {}, map { ("$_->[0] $_->[1]" => $_->[2]) } @cases);
my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->start;
$destination->safe_psql('postgres', <<~'SQL');
	CREATE EXTENSION pg_copy_incremental;
	CREATE TABLE rows (id int, note text);
	INSERT INTO rows VALUES (0, 'was here');
	SQL

sub call
{
	my ($name) = @_;
	my $conninfo = $hostile->conninfo($name);
	return copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$$conninfo\$c\$", target => "'rows'", method => "'copy'");
}

my ($session, $pid) = open_session($destination);
is($session->query_safe('BEGIN; ' . call('good') . '; SELECT count(*), sum(id) FROM rows; ROLLBACK'), "12\n13|78", 'the hostile source plays a good one');

my (%good, %all);
for my $case (@cases)
{
	my ($number, $name, undef, $sqlstate, $message, $timeout) = @$case;
	$timeout //= '60s';
	my ($state, $said) = outcome_within($session, $timeout, call("$number $name"));
	my $content = $session->query_safe('SELECT count(*), sum(id), (SELECT count(*) FROM copy_incremental_runs) FROM rows');
	$session->query_safe('TRUNCATE rows, pgci_runs; INSERT INTO rows VALUES (0)') if $content ne '1|0|0';
	my $left = $hostile->is_left_alone ? 0 : $hostile->connections;
	my $ok = ok(($state // '') =~ /^($sqlstate)$/ && $said =~ $message && $content eq '1|0|0' && $left == 0, "$number $name: $sqlstate")
	  or diag("wanted $message, got " . ($state // 'success') . "; target: $content; connections: $left: " . substr($said, 0, 2000));
	$all{$number}++;
	$good{$number}++ if $ok;
}
is($session->query_safe('SELECT pg_backend_pid()'), $pid, 'it is still the same backend');
is($session->query_safe('BEGIN; ' . call('good') . '; SELECT count(*), sum(id) FROM rows; ROLLBACK'), "12\n13|78", 'the same session copies all the same');
diag(sprintf 'method copy: %d of %d cases right: %s', sum0(values %good), scalar @cases,
	join ', ', map { sprintf '%s %d of %d', $_, $good{$_} // 0, $all{$_} } sort keys %all);

# Paths of errors again and again; PG_TEST_EXTRA=leaks makes it a thousand times each.
my $times = ($ENV{PG_TEST_EXTRA} // '') =~ /\bleaks\b/ ? 1000 : 15;
my %again = map { $_ => 1 } 'B53 a text that is not UTF-8', 'B58 another signature', 'B60 no trailer', 'B69 no CopyOut', 'B70 a message of type %',
  'B71 an error in mid-stream', 'B72 COPY 99', 'B74 CopyIn', 'B74 rows instead of COPY', 'B75 client_encoding changes', 'F13 an end in mid-message';
for my $case (grep { $again{"$_->[0] $_->[1]"} } @cases)
{
	my $name = "$case->[0] $case->[1]";
	$hostile->leaves_nothing($session, $pid, call($name), $case->[3], $times, $name);
}
$session->quit;
done_testing();
