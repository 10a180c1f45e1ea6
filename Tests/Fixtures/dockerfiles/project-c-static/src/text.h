#ifndef TEXT_H
#define TEXT_H

/* Reverses a string in place. */
void text_reverse(char *text);

#endif
