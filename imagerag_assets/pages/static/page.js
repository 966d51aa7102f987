/* Imagery to move and zoom, and filters. */
