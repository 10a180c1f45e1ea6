#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A frontend without SDK, written from Protocol/ alone, with what perl brings. Its build files have lines
#     base IMAGE | copy FROM TO | write PATH TEXT | cmd WORD...
use strict; use warnings;
use JSON::PP; use MIME::Base64 'encode_base64';

my ($json, $next_id, $hello) = (JSON::PP->new->utf8->canonical->max_depth(64), 0);
open my $in, '<&', \*STDIN and open my $out, '>&', \*STDOUT and open STDOUT, '>&', \*STDERR or die;
binmode $_ for $in, $out; $out->autoflush(1);    # What prints, prints to stderr from here on.

sub broken { print STDERR "example/app: the engine broke the protocol: @_\n"; exit 76 }
sub frame {    # Stream and payload of the next frame; the end of stdin is the sign to exit.
    exit 0 unless read $in, my $header, 8;
    my ($length, $stream) = unpack 'NN', $header;
    broken("no frame: $header") if length $header < 8 || $length >= 1 << 24;
    my $payload = ''; broken('stdin ends inside a frame') if $length && read($in, $payload, $length) < $length;
    return ($stream, $payload);
}

sub each_blob {    # Calls a function for every announcement in a value; what it gives goes in its place.
    my ($value, $do) = @_;
    return [map { each_blob($_, $do) } @$value] if ref $value eq 'ARRAY';
    return $value if ref $value ne 'HASH';
    return $do->(@$value{'blob', 'size'}) if "@{[sort keys %$value]}" eq 'blob size';
    return { map { $_ => each_blob($value->{$_}, $do) } keys %$value };
}

sub receive {    # The next message with the bytes of its blobs; one that was given up is undef.
    my ($stream, $text) = frame();
    my $message = eval { $json->decode($text) };
    broken("no message: $text") if $stream || ref $message ne 'HASH';
    my (%waiting, %data);
    each_blob($message, sub { $data{$_[0]} = ''; $waiting{$_[0]} = $_[1] if !defined $_[1] || $_[1] > 0 });
    while (%waiting) {
        my ($of, $payload) = frame();
        broken("a frame of stream $of, which is not announced") if !exists $waiting{$of};
        $data{$of} = $payload eq '' && defined $waiting{$of} ? undef : $data{$of} . $payload;
        delete $waiting{$of} if $payload eq '' || length $data{$of} >= ($waiting{$of} // 9e15);
    }
    return each_blob($message, sub { $data{$_[0]} });
}

sub answer { my $text = $json->encode({ jsonrpc => '2.0', @_ }); print $out pack('NN', length $text, 0), $text }
sub refuse { answer(id => shift, error => { code => -32000, message => splice(@_, 1, 1), data => { kind => @_ } }) }

sub call {    # A request's result; its failure ends the build. One is open at a time, so the next answer is its.
    answer(id => ++$next_id, method => $_[0], params => $_[1]);
    my $m; while (exists(($m = receive())->{method})) { refuse($m->{id}, 'unsupported', 'busy') if $m->{id} }
    my $error = $m->{error} or return $m->{result};
    die [$error->{data}{kind} // 'internal', $error->{message}, request => $next_id];
}

sub build {    # The result of a build; dies with [kind, message, data].
    my ($name, $content, $number) = @{$_[0]{buildFile}}{'name', 'content'};
    my ($os, $architecture) = @{$_[0]{workerPlatforms}[0]}{'os', 'architecture'}; my (%def, $last, @cmd);
    my $file = sub {    # One file action on what there is; what it copies from comes last.
        my @inputs = map { { digest => $_ } } grep { defined } $last, $_[2];
        return { inputs => \@inputs, file => { actions => [{ input => defined $last ? 0 : -1, output => 0,
            secondaryInput => $_[2] ? $#inputs : -1, $_[0] => { timestamp => -1, %{$_[1]} } }] } };
    };
    for (split /\r?\n/, $content) {
        my $step = 'line' . ++$number;
        if    (/^\s*(#|$)/) { next }
        elsif (/^cmd (.+)$/) { @cmd = split ' ', $1; next }
        elsif (/^base (\S+)$/ && !$last) { $def{$step} = { source => { identifier => "docker-image://$1" } } }
        elsif (m{^write ((/\S*)/[^/\s]+|/[^/\s]+) (.*)$}) {    # A file's directory must be there.
            my ($path, $data) = ($1, encode_base64("$3\n", ''));
            $def{$last = "$step-directory"} = $file->('mkdir', { path => $2, mode => 0755, makeParents => \1 }) if $2;
            $def{$step} = $file->('mkfile', { path => $path, mode => 0644, data => $data });
        } elsif (m{^copy (\S+) (/\S*)$}) {
            $def{context} = { source => { identifier => 'local://context' } };
            $def{$step} = $file->('copy', { src => "/$1", dest => $2, mode => -1, createDestPath => \1 }, 'context');
        } else { die ['buildFile', "$name:$number: expected base (first), copy, write or cmd"] }
        $last = $step;
    }
    $def{result} = { inputs => [{ digest => $last // die ['buildFile', "$name: nothing to build"] }] };
    my $config = $json->encode({ os => $os, architecture => $architecture, config => { Cmd => \@cmd } });
    my $answer = call('solve', { definition => { json => { def => \%def } } });
    return { refs => [{ id => "$os/$architecture", ref => $answer->{ref}, config => $config }] };
}

while (my $message = receive()) {
    my ($method, $id, $params) = (@$message{'method', 'id'}, $message->{params} // {});
    next if !defined $id;    # A notification.
    if (!defined $method) { broken("an answer to $id, which is not open") }
    elsif (@{$params->{mustUnderstand} // []}) { refuse($id, 'unsupported', "cannot @{$params->{mustUnderstand}}") }
    elsif ($method eq 'initialize' && !grep { /^1\.\d+$/ } @{$params->{protocol}}) {
        refuse($id, 'incompatible', 'speaks protocol 1.0', supported => ['1.0']);
    } elsif ($method eq 'initialize') {
        answer(id => $id, result => $hello =
            { protocol => '1.0', frontend => { name => 'example/app', version => '1.0.0' } });
    } elsif ($method ne 'build') { refuse($id, 'unsupported', "no method $method") }
    elsif (!$hello || !defined $params->{buildFile}{content}) { refuse($id, 'invalidParams', 'no build file') }
    else {
        my $result = eval { build($params) };
        $result ? answer(id => $id, result => $result) : refuse($id, ref $@ ? @{$@} : ('internal', "example/app: $@"));
    }
}
